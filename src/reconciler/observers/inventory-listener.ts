/** What follows the inventory's lists, page by page. */

/** One list while it comes. */
export interface Listing {
  /** `foreign`: it is another environment's. */
  saw(enclaveId: string, name: string, foreign: boolean): void;
  /** It has come whole; one that does not says nothing. */
  end(): void;
}

/** Who is told of what is listed, to join it with the enclaves that are known. */
export interface Listener {
  /** Undefined: it is nothing to this listener. */
  begin(kind: string, region: string): Listing | undefined;
  /** Told after a look, of however many lists. Never rejects. */
  looked(): Promise<void>;
}
