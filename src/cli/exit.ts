/** Exit codes, and the error that carries one. */

/** What each exit code means, for every command. */
export const EXIT = {
  /** Yes: done, valid, the same. */
  yes: 0,
  /** No: invalid, drifted, differs, no such enclave. */
  no: 1,
  /** The question could not be answered: wrong usage, wrong configuration, an unexpected error. */
  usage: 2,
  /** AWS, or the local stack, cannot be reached. */
  unreachable: 3,
  /** Understood, and refused: the enclave's status, a missing confirmation, another owner. */
  refused: 4,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes:
  0  yes: done, valid, the same
  1  no: invalid, drifted, differs, not found
  2  wrong usage, or it could not be told
  3  AWS or the local stack cannot be reached
  4  refused`;

/** An expected failure of a command: its text is for the user, and is all that is printed. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
