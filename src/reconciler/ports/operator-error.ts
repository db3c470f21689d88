/** The error that adapters throw for an expected failure. */

/** Which of the adapters' errors may be cured by waiting, and how. Adapters throw these, and nothing else on purpose. */
export type OperatorErrorClass = 'Transient' | 'Throttled' | 'Conflict' | 'Terminal' | 'Blocked';

/**
 * An expected failure of an outside part.
 *
 * `Transient`: try again. `Throttled`: try again, later, and slow down. `Conflict`: read again, decide again.
 * `Terminal`: no retry cures it. `Blocked`: a person must act (permission, missing table).
 */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly class: OperatorErrorClass;
  /** The operation that failed, e.g. `states:StartExecution`. */
  readonly operation: string;

  constructor(errorClass: OperatorErrorClass, operation: string, message: string, options?: ErrorOptions) {
    super(`${operation}: ${message}`, options);
    this.class = errorClass;
    this.operation = operation;
  }
}
