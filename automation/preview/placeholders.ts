import { type TokenKey, tokenElsewhere } from '../../stacks/judge.ts';

const PREFIX = 'scipion:';
const TOKENS: readonly TokenKey[] = ['sourceToken', 'projectToken'];

/**
 * A dummy for each token that the stack needs and the preview must not have. Nothing else is made up: a setting that is
 * missing is missing for the user too.
 * @param given full key → text
 */
export function placeholdersFor(given: Readonly<Record<string, string>>): Record<string, string> {
  const values = Object.fromEntries(
    Object.entries(given).map(([key, text]) => [key.replace(PREFIX, ''), text]),
  );
  const missing = TOKENS.filter(
    (key) => values[key] === undefined && tokenElsewhere(values, key) === undefined,
  );
  return Object.fromEntries(missing.map((key) => [PREFIX + key, `placeholder-${key}`]));
}
