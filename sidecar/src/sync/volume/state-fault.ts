import { sqliteCode } from './sqlite-copy.ts';

/** SQLITE_ERROR (a table is not as it should be), SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGE_CODES = [1, 11, 26];

/** Whether an error of SQLite says that the database itself is damaged. */
export function isDamagedDatabase(error: unknown): boolean {
  return DAMAGE_CODES.includes(sqliteCode(error) ?? 0);
}

/**
 * Whether an error comes from what the state of a volume says, and not from disk, space or rights: it would come again at
 * each attempt.
 */
export function isStateFault(error: unknown): boolean {
  if (isDamagedDatabase(error)) return true;
  // Text that is no JSON, an entry without what each has, two facts that cannot both be.
  return error instanceof SyntaxError || error instanceof ImpossiblePlanError || isPlainTypeError(error);
}

function isPlainTypeError(error: unknown): boolean {
  return error instanceof TypeError && !('code' in error);
}

/** What the state has of a path fits no rule. */
export class ImpossiblePlanError extends Error {
  override readonly name = 'ImpossiblePlanError';
}
