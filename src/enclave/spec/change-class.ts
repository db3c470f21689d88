/** What a change of a field does to a running enclave, from nothing to a new host. */

export const CHANGE_CLASSES = ['none', 'inPlace', 'enclaveRestart', 'stopStart', 'replace'] as const;
export type ChangeClass = (typeof CHANGE_CLASSES)[number];

export const CHANGE_MEANINGS: Readonly<Record<ChangeClass, string>> = {
  none: 'Nothing happens to the enclave.',
  inPlace: 'The enclave keeps running.',
  enclaveRestart: 'The enclave is restarted; the host keeps running.',
  stopStart: 'The host is stopped and started, and the enclave with it.',
  replace: 'A new host takes the place of the old one; its instance id, and with it PCR4, changes.',
};

/** The more disruptive of two. */
export function worse(a: ChangeClass, b: ChangeClass): ChangeClass {
  return CHANGE_CLASSES.indexOf(a) < CHANGE_CLASSES.indexOf(b) ? b : a;
}
