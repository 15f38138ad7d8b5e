import { type FieldNotes, notesOf } from './fields.ts';
import { SECRET_KEYS, SETTING_FIELDS, type SecretKey, type Settings } from './schema.ts';

/** Sentences for what is wrong with a configuration: key, what was found, what is allowed, what to type. */

/** Those that everybody types come first: of equals the first is named. */
const ALL_KEYS: readonly string[] = [...Object.keys(SECRET_KEYS), ...Object.keys(SETTING_FIELDS)];

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
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
  const wanted = key.toLowerCase();
  const distance = (known: string) => {
    const candidate = known.toLowerCase();
    return wanted !== '' && candidate.includes(wanted) ? 0 : editDistance(wanted, candidate);
  };
  return ALL_KEYS.reduce((best, known) => (distance(known) < distance(best) ? known : best));
}

const shellWord = (text: string) => (/^[\w@%+=:,./"$()-]+$/.test(text) ? text : `'${text}'`);

export function unknownKeyProblem(key: string): string {
  const rename = `pulumi config rm scipion:${key}`;
  return `scipion:${key}: found a key that is not known; the nearest is scipion:${nearestKey(key)}; remove it: ${rename}`;
}

/** @param found what the stack holds, ready to be shown; `undefined` where the key is missing. */
export function settingProblem(key: keyof Settings, found: string | undefined, allowed?: string): string {
  const notes: FieldNotes = notesOf(SETTING_FIELDS[key]);
  const parts = [
    `scipion:${key}: found ${found ?? 'nothing'}`,
    `allowed: ${allowed ?? notes.allowed}`,
    `set it: pulumi config set scipion:${key} ${shellWord(notes.example)}`,
  ];
  return parts.join('; ');
}

/** The value of a secret is in no sentence, and the command asks for it instead of taking it as an argument. */
export function secretProblem(key: SecretKey, found: string, allowed: string): string {
  return `scipion:${key}: found ${found}; allowed: ${allowed}; set it: pulumi config set --secret scipion:${key}`;
}

/** One message with every problem, a line each. */
export function problemsMessage(stack: string, problems: readonly string[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [
    `The configuration of stack "${stack}" has ${count}; nothing was changed.`,
    ...problems.map((problem) => `  ${problem}`),
    'docs/config-reference.md describes every key. An instance can be removed all the same: npm run destroy',
  ].join('\n');
}
