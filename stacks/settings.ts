import { notesOf } from './fields.ts';
import { settingProblem, shownValue, uselessProblem } from './problems.ts';
import type { Refusal } from './refusal.ts';
import { brokenRules } from './rules.ts';
import { SETTING_FIELDS, type Settings } from './schema.ts';
import { candidates, isFromFile } from './suggestions.ts';

/** What is wrong with the settings of a stack, each by itself and between each other. Pure. */

/** What a stack says, before it is judged. Plain data, so that every refusal can be tested as a table. */
export interface RawStack {
  readonly stack: string;
  /** Key without prefix → text, secrets included. */
  readonly values: Readonly<Record<string, string>>;
  /** Keys, without prefix, whose value is stored encrypted. */
  readonly secretKeys: ReadonlySet<string>;
  /** Keys of other prefixes, whole. */
  readonly otherKeys?: readonly string[];
}

type Values = Readonly<Record<string, string>>;

/** How other tools write "nothing"; here it would be a name. */
const NULLS = ['null', '~', 'undefined', 'None'];
const isNull = (value: string | undefined) => NULLS.includes(value?.trim() ?? '');

function foundText(raw: RawStack, key: string): string | undefined {
  const value = raw.values[key];
  if (value === undefined)
    return key === 'namespace' ? `${shownValue(raw.stack)}, the stack's name` : undefined;
  if (raw.secretKeys.has(key)) return 'a secret value';
  return shownValue(value);
}

/** The fields that are readable one by one, for the rules between them. */
function readableSettings(values: Values): Partial<Settings> {
  const parsed = Object.entries(SETTING_FIELDS).map(
    ([key, type]) => [key, type.safeParse(values[key])] as const,
  );
  return Object.fromEntries(parsed.flatMap(([key, result]) => (result.success ? [[key, result.data]] : [])));
}

const sentenceOf = (refusal: Refusal) =>
  `${refusal.key}: ${'useless' in refusal ? refusal.useless : refusal.allowed}`;

/** Whether a value of one key takes the problem away and makes no other. */
class Trial {
  readonly #readable: Partial<Settings>;
  readonly #given: readonly string[];
  readonly broken: readonly Refusal[];

  constructor(values: Values) {
    this.#readable = readableSettings(values);
    this.#given = Object.keys(values);
    this.broken = brokenRules(this.#readable, new Set(this.#given));
  }

  helps(key: keyof Settings, value: string, refusal: Refusal | undefined): boolean {
    const { success, data } = SETTING_FIELDS[key].safeParse(value === '' ? undefined : value);
    if ((!success && !isFromFile(value)) || isNull(value)) return false;
    const before = new Set(this.broken.filter((each) => each !== refusal).map(sentenceOf));
    const given = new Set([...this.#given.filter((other) => other !== key), ...(value === '' ? [] : [key])]);
    const after = brokenRules({ ...this.#readable, [key]: success ? data : value }, given);
    return after.every((rule) => before.has(sentenceOf(rule)));
  }
}

/** A line for each problem; each command in it has been tried. */
export function settingProblems(raw: RawStack, values: Values): string[] {
  const { stack } = raw;
  const trial = new Trial(values);
  const better = (key: keyof Settings, refusal?: Refusal) => {
    const found = raw.secretKeys.has(key) ? undefined : values[key];
    const others = candidates(key, found, refusal);
    return (isNull(found) ? ['', ...others] : others).find((value) => trial.helps(key, value, refusal));
  };
  const problem = (key: keyof Settings, found: string | undefined, allowed: string) =>
    settingProblem(stack, key, found, allowed, better(key));
  const ofKeys = (Object.keys(SETTING_FIELDS) as (keyof Settings)[]).flatMap((key) => {
    const { allowed } = notesOf(SETTING_FIELDS[key]);
    const found = foundText(raw, key);
    if (isNull(values[key])) return problem(key, found, `${allowed}; for nothing at all an empty value ('')`);
    if (!SETTING_FIELDS[key].safeParse(values[key]).success) return problem(key, found, allowed);
    return values[key] !== undefined && raw.secretKeys.has(key)
      ? problem(key, 'a value stored encrypted', 'a value in clear, since it stands in clear in the cluster')
      : [];
  });
  const between = trial.broken.map((refusal) =>
    'useless' in refusal
      ? uselessProblem(stack, refusal.key, refusal.useless, better(refusal.key, refusal))
      : settingProblem(
          stack,
          refusal.key,
          foundText(raw, refusal.key) ?? 'the default',
          refusal.allowed,
          better(refusal.key, refusal),
        ),
  );
  return [...ofKeys, ...between];
}
