/** The code of the deepest reason that has one, e.g. `ECONNREFUSED`; else the name of the error. */
export function codeOfCause(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string' && code !== 'UND_ERR') return code;
    if (at instanceof AggregateError && at.errors[0] instanceof Error) return codeOfCause(at.errors[0]);
  }
  return error instanceof Error ? error.name : 'unknown';
}
