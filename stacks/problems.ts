import { mayHoldSecret } from './grammar.ts';
import { SECRET_KEYS, SETTING_FIELDS, type SecretKey, type Settings } from './schema.ts';

/** Sentences for what is wrong with a configuration: key, what was found, what is allowed, what to type. */

/** Those that everybody types come first: of equals the first is named. */
const ALL_KEYS: readonly string[] = [...Object.keys(SECRET_KEYS), ...Object.keys(SETTING_FIELDS)];

/** Longer than this no key is; the distance costs the product of both lengths. */
const MAX_KEY = 64;

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same, swapped));
    }
  }
  return at(a.length, b.length);
}

/** The known key that is most like `key`: one that contains it, else the one with the fewest edits. */
export function nearestKey(key: string): string {
  const wanted = key.slice(0, MAX_KEY).toLowerCase();
  const distance = (known: string) => {
    const candidate = known.toLowerCase();
    return wanted !== '' && candidate.includes(wanted) ? 0 : editDistance(wanted, candidate);
  };
  return ALL_KEYS.reduce((best, known) => (distance(known) < distance(best) ? known : best));
}

/** On one line and without marks that change what a terminal or a page shows. */
function visible(text: string): string {
  const clipped = text.length > 60 ? `${text.slice(0, 57)}…` : text;
  return clipped.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}

/** A value of a stack, as a message may show it. */
export function shownValue(value: string): string {
  if (mayHoldSecret(value)) return `a value of ${value.length} characters that may be a token (not shown)`;
  return visible(JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value));
}

const shownKey = (key: string) =>
  mayHoldSecret(key) ? 'a key that may be a token (not shown)' : visible(key);

/** A word of a shell as it is, in quotes where it needs them; an example may itself be quoted. Nothing is cut. */
const shellWord = (text: string) =>
  /^([\w@%+=:,./-]+|"\$\(cat [\w.]+\)")$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A command for this stack and no other, whichever is selected. */
const command = (stack: string, verb: string) => `pulumi config ${verb} --stack ${shellWord(stack)}`;

const setCommand = (stack: string, key: string, value: string) =>
  command(stack, `set scipion:${key} ${shellWord(value)}`);

/** @param key with its prefix */
export function unknownKeyProblem(stack: string, key: string): string {
  const [, bare = ''] = /^[^:]*:(.*)$/s.exec(key) ?? [];
  // What is shown otherwise than it is cannot be typed.
  const remove =
    shownKey(key) === key
      ? `remove it: ${command(stack, `rm ${shellWord(key)}`)}`
      : `remove its line from the file of the stack, ${visible(JSON.stringify(`Pulumi.${stack}.yaml`))}`;
  return `${shownKey(key)}: found a key that is not known; the nearest is scipion:${nearestKey(bare)}; ${remove}`;
}

/** @param better a value that helps; empty: none at all does; `undefined`: only whoever wrote it knows one */
function remedy(stack: string, key: keyof Settings, better: string | undefined): string {
  if (better === undefined) return 'set it to what you mean, or change what it contradicts';
  // An empty value also takes back what Pulumi.yaml says, which `rm` cannot.
  return `${better === '' ? 'take it away' : 'set it'}: ${setCommand(stack, key, better)}`;
}

/**
 * @param found what the stack holds, ready to be shown; `undefined` where the key is missing.
 * @param better what the command sets; see `remedy`
 */
export function settingProblem(
  stack: string,
  key: keyof Settings,
  found: string | undefined,
  allowed: string,
  better: string | undefined,
): string {
  return `scipion:${key}: found ${found ?? 'nothing'}; allowed: ${allowed}; ${remedy(stack, key, better)}`;
}

/** A value that nothing would read, or that another one contradicts. */
export function uselessProblem(
  stack: string,
  key: keyof Settings,
  reason: string,
  better: string | undefined,
): string {
  return `scipion:${key}: found a value that contradicts another one; ${reason}; ${remedy(stack, key, better)}`;
}

export function uselessSecretProblem(stack: string, key: SecretKey, reason: string): string {
  const away = command(stack, `rm scipion:${key}`);
  return `scipion:${key}: found a secret value that contradicts another one; ${reason}; take it away: ${away}`;
}

/** The value of a secret is in no sentence, and the command asks for it instead of taking it as an argument. */
export function secretProblem(stack: string, key: SecretKey, found: string, allowed: string): string {
  return `scipion:${key}: found ${found}; allowed: ${allowed}; set it: ${command(stack, `set --secret scipion:${key}`)}`;
}

/** One message with every problem, a line each. */
export function problemsMessage(stack: string, problems: readonly string[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [
    `The configuration of stack ${JSON.stringify(stack)} has ${count}; nothing was changed.`,
    ...problems.map((problem) => `  ${problem}`),
    `docs/config-reference.md describes every key. An instance can be removed all the same: npm run destroy -- --stack ${shellWord(stack)}`,
  ].join('\n');
}
