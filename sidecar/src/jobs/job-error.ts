/** A refusal, in a sentence for who asked. */
export type JobErrorCode =
  | 'invalid'
  | 'unknown-class'
  | 'too-large'
  | 'busy'
  | 'closed'
  | 'conflict'
  | 'unknown-job'
  | 'refused'
  /** It may have been done: ask again. */
  | 'unavailable'
  | 'internal';

export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: JobErrorCode;

  constructor(code: JobErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const HTTP_STATUS: Readonly<Record<JobErrorCode, number>> = {
  invalid: 400,
  'unknown-class': 400,
  'too-large': 400,
  busy: 429,
  closed: 409,
  conflict: 409,
  'unknown-job': 404,
  refused: 422,
  unavailable: 503,
  internal: 500,
};
