/** References to container images, as Docker's grammar has them. */

/**
 * `[host[:port]/]path[:tag][@sha256:digest]`, from the grammar in github.com/distribution/reference. Repository
 * paths are lower case; a first part counts as a host where it has a dot or a port, or is `localhost`. To be tried on
 * at most 255 characters.
 */
export const IMAGE_REFERENCE =
  /^(?:(?:localhost|(?=[A-Za-z0-9.-]+[.:])[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?\/)?[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

export interface ImageReference {
  /** Everything before tag and digest. */
  readonly repository: string;
  readonly tag?: string;
  /** With its algorithm: `sha256:…`. */
  readonly digest?: string;
}

/** Splits a reference that matches {@link IMAGE_REFERENCE}. */
export function splitImageReference(reference: string): ImageReference {
  const [named = '', digest] = reference.split('@');
  const colon = named.lastIndexOf(':');
  // A colon before the last slash is a port.
  const tagged = colon > named.lastIndexOf('/');
  return {
    repository: tagged ? named.slice(0, colon) : named,
    ...(tagged ? { tag: named.slice(colon + 1) } : {}),
    ...(digest === undefined ? {} : { digest }),
  };
}
