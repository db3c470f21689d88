/** A figure that cannot be taken here; the message says why. */
export class Skipped extends Error {}
