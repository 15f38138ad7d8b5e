import { CHANGE_WORDS, CHANGES, type Change } from '../../stacks/changes.ts';
import { judge, PREFIX, type RawStack } from '../../stacks/judge.ts';
import { problemsMessage } from '../../stacks/problems.ts';
import { SETTING_FIELDS, type SecretKey, type Settings } from '../../stacks/schema.ts';
import { loadWithoutSecrets, SECRET_PLACEHOLDER } from '../recording/config.ts';
import { FleetError } from './operation.ts';

/** Settings of a stack as its files have them: no engine is asked, no secret is opened. */

/** Key without prefix → text. */
export type Values = Readonly<Record<string, string>>;
export type Tokens = Partial<Readonly<Record<SecretKey, string>>>;

export interface StackValues {
  /** Those of this program, without prefix; what Pulumi.yaml says for all stacks included. */
  readonly values: Values;
  readonly secretKeys: ReadonlySet<string>;
  /** By full key: `kubernetes:context` and the like. */
  readonly others: Values;
}

/** @param directory of Pulumi.yaml */
export async function readValues(directory: string, stack: string): Promise<StackValues> {
  const { config, secretKeys } = await loadWithoutSecrets(directory, stack);
  const hidden = new Set(secretKeys);
  const own = Object.entries(config).filter(([key]) => key.startsWith(PREFIX));
  const shown = (key: string, value: string) => (hidden.has(key) ? SECRET_PLACEHOLDER : value);
  return {
    values: Object.fromEntries(own.map(([key, value]) => [key.slice(PREFIX.length), shown(key, value)])),
    secretKeys: new Set(own.flatMap(([key]) => (hidden.has(key) ? [key.slice(PREFIX.length)] : []))),
    others: Object.fromEntries(
      Object.entries(config).filter(([key]) => !key.startsWith(PREFIX) && !hidden.has(key)),
    ),
  };
}

/** What a stack would be with these changes, ready to be judged. */
export function withChanges(
  stack: string,
  { values, secretKeys, others }: StackValues,
  { settings = {}, secrets = {} }: { readonly settings?: Values; readonly secrets?: Tokens },
): RawStack {
  return {
    stack,
    values: { ...values, ...settings, ...secrets },
    secretKeys: new Set([...secretKeys, ...Object.keys(secrets)]),
    otherKeys: Object.keys(others),
  };
}

/** @throws FleetError `settings` with every problem at once; a token that stands among the settings is not shown */
export function judged(raw: RawStack): Settings {
  const { settings, problems } = judge(raw);
  if (settings !== undefined) return settings;
  throw new FleetError('settings', problemsMessage(raw.stack, problems));
}

/** Problems that name this key, for a question that is asked alone. */
export function problemsOfKey(raw: RawStack, key: string): readonly string[] {
  return judge(raw).problems.filter((problem) => problem.startsWith(`${PREFIX}${key}:`));
}

export interface KeyChange {
  readonly key: string;
  readonly change: Change;
  /** What happens, in words. */
  readonly words: string;
  readonly needsRestart: boolean;
}

/** What changing these keys does to an instance that exists. @throws FleetError `settings` where it is refused */
export function changesOfKeys(stack: string, before: Values, settings: Values): readonly KeyChange[] {
  const changed = Object.keys(settings).filter((key) => before[key] !== settings[key]);
  const known = changed.filter((key): key is keyof typeof CHANGES => Object.hasOwn(CHANGES, key));
  const refused = known.filter((key) => CHANGES[key] === 'refused' && before[key] !== undefined);
  if (refused.length > 0)
    throw new FleetError(
      'settings',
      `${refused.map((key) => `${PREFIX}${key}: found ${before[key]}, asked for ${settings[key]}`).join('; ')}. ` +
        `Such a change is ${CHANGE_WORDS.refused}. Nothing was changed on ${stack}.`,
    );
  return known.map((key) => ({
    key,
    change: CHANGES[key],
    words: CHANGE_WORDS[CHANGES[key]],
    needsRestart: CHANGES[key] === 'at the next start',
  }));
}

export const prefixed = (values: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`${PREFIX}${key}`, value]));

/** Where nothing is written, what is so by itself changes nothing. */
export function isReal(key: string, before: string | undefined, value: string): boolean {
  if (before !== undefined || value !== 'false') return before !== value;
  const field = Object.hasOwn(SETTING_FIELDS, key)
    ? SETTING_FIELDS[key as keyof typeof SETTING_FIELDS]
    : undefined;
  return field?.safeParse(undefined).data !== false;
}
