import { notesOf } from '../../stacks/fields.ts';
import { SECRET_KEYS, SETTING_FIELDS } from '../../stacks/schema.ts';

/** What a preview puts in place of what it must not have or was not given. */
export interface Placeholders {
  readonly config: Readonly<Record<string, string>>;
  readonly secretConfig: Readonly<Record<string, string>>;
}

const PREFIX = 'scipion:';

/**
 * Examples for required settings that the stack's files lack, and a dummy for each secret that is required.
 * @param given full keys that have a value
 */
export function placeholdersFor(given: ReadonlySet<string>): Placeholders {
  const missing = Object.entries(SETTING_FIELDS).filter(
    ([key, type]) => !given.has(PREFIX + key) && key !== 'namespace' && !type.safeParse(undefined).success,
  );
  const needsTokens = !given.has(`${PREFIX}onedataSecret`);
  const secrets = Object.entries(SECRET_KEYS).filter(
    ([key, { required }]) => needsTokens && required.startsWith('unless') && !given.has(PREFIX + key),
  );
  return {
    config: Object.fromEntries(missing.map(([key, type]) => [PREFIX + key, notesOf(type).example])),
    secretConfig: Object.fromEntries(secrets.map(([key]) => [PREFIX + key, `placeholder-${key}`])),
  };
}
