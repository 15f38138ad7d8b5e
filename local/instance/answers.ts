import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import * as z from 'zod';
import {
  FORM_KEYS,
  FORM_LABELS,
  type FormKey,
  type Tokens,
  type Values,
} from '../../automation/fleet/index.ts';
import { mayHoldSecret } from '../../stacks/grammar.ts';
import { nearestKey } from '../../stacks/problems.ts';
import { isSecretKey, SECRET_KEYS, SETTING_FIELDS } from '../../stacks/schema.ts';

/** What was answered before anything is asked: by flags, and by files or standard input where it is secret. */

export interface GivenAnswers {
  readonly settings: Values;
  readonly secrets: Tokens;
  readonly others: Values;
}

/** Options of `new` and `change`, as the parser hands them over. */
export interface AnswerOptions {
  readonly answers?: string;
  readonly sourceTokenFile?: string;
  readonly projectTokenFile?: string;
  readonly passwordFile?: string;
  readonly set?: Values;
  readonly [flag: string]: unknown;
}

/** Flags of the questions that most people answer; `--set KEY=VALUE` has all others. */
export const FLAGS = {
  sourceSpaceId: ['--source-space <id-or-name>', FORM_LABELS.sourceSpaceId],
  projectSpaceId: ['--project-space <id-or-name>', FORM_LABELS.projectSpaceId],
  onedataHost: ['--onedata-host <host>', `${FORM_LABELS.onedataHost} (default: found from the tokens)`],
  version: ['--scipion-version <version>', FORM_LABELS.version],
  cpuGuaranteed: ['--cpu <number>', FORM_LABELS.cpuGuaranteed],
  cpuLimit: ['--cpu-limit <number>', FORM_LABELS.cpuLimit],
  memory: ['--memory <size>', `${FORM_LABELS.memory}, e.g. 16Gi`],
  sourceVolumeSize: ['--source-volume <size>', `${FORM_LABELS.sourceVolumeSize}, e.g. 500Gi`],
  projectVolumeSize: ['--project-volume <size>', `${FORM_LABELS.projectVolumeSize}, e.g. 100Gi`],
} as const satisfies Record<FormKey, readonly [string, string]>;

/** `--source-space <…>` → `sourceSpace`, as the parser names it. */
export const optionName = (key: FormKey): string => {
  const [flag = ''] = FLAGS[key][0].split(' ');
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
};

const answersSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.unknown()), z.looseObject({})]),
);

/** @throws Error with what was found and what is expected; nothing of a file that may hold a token is shown */
export async function givenAnswers(options: AnswerOptions): Promise<GivenAnswers> {
  const written = options.answers === undefined ? {} : await readAnswers(options.answers);
  const flags = FORM_KEYS.flatMap((key) => {
    const value = options[optionName(key)];
    return typeof value === 'string' ? [[key, value] as const] : [];
  });
  const settings: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  const others: Record<string, string> = {};
  for (const [key, value] of [...Object.entries(written), ...Object.entries(options.set ?? {}), ...flags]) {
    const bare = key.replace(/^scipion:/, '');
    if (isSecretKey(bare)) secrets[bare] = value.trim();
    else if (bare.includes(':')) others[bare] = value;
    else if (Object.hasOwn(SETTING_FIELDS, bare)) settings[bare] = value;
    else
      throw new Error(
        `Found a setting ${mayHoldSecret(key) ? '(not shown)' : JSON.stringify(key)} that is not known; the nearest is ${nearestKey(bare)}. All are in docs/config-reference.md.`,
      );
  }
  for (const [key, file] of [
    ['sourceToken', options.sourceTokenFile],
    ['projectToken', options.projectTokenFile],
    ['desktopPassword', options.passwordFile],
  ] as const)
    if (file !== undefined) secrets[key] = (await readInput(file)).replace(/\r?\n$/, '');
  return { settings, secrets, others };
}

async function readAnswers(file: string): Promise<Record<string, string>> {
  const where = file === '-' ? 'Standard input' : file;
  let content: unknown;
  try {
    content = parse(await readInput(file), { logLevel: 'error' });
  } catch (error) {
    if (error instanceof MissingFileError) throw error;
    throw new Error(
      `${where} is neither JSON nor YAML. Expected: one object of settings, e.g. {"memory": "16Gi"}.`,
    );
  }
  const found = answersSchema.safeParse(content);
  if (!found.success)
    throw new Error(
      `${where} has another form than expected: one object of settings, e.g. {"memory": "16Gi"}.`,
    );
  return Object.fromEntries(
    Object.entries(found.data).map(([key, value]) => [
      key,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  );
}

class MissingFileError extends Error {}

let isInputUsed = false;

/** `-`: standard input, once. */
async function readInput(file: string): Promise<string> {
  if (file === '-') {
    if (isInputUsed) throw new MissingFileError('Standard input (-) can be named once only.');
    isInputUsed = true;
    return text(process.stdin);
  }
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new MissingFileError(
      `${file} cannot be read (${code}). Expected: a file, or - for standard input.`,
    );
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Arguments are in the history of the shell, and every user of the machine sees them. */
export function refuseSecretArguments(args: readonly string[]): void {
  const named = args.find((argument) =>
    Object.keys(SECRET_KEYS).some((key) => new RegExp(`^(--set=)?(scipion:)?${key}=.`).test(argument)),
  );
  // Certificates are public, and their text looks like a token.
  const isSecret = (argument: string) => mayHoldSecret(argument.replaceAll(CERTIFICATE, ''));
  if (named === undefined && !args.some(isSecret)) return;
  throw new Error(
    'An argument is, or may be, a secret (not shown): other users of this machine can read it, and it stays in the history of your shell. ' +
      'Make a new token where it was one, and give it as a file (--source-token-file, --project-token-file, --password-file; - is standard input).',
  );
}

/** The same by Pulumi itself, for whoever wants to see what is done or do it by hand. */
export function pulumiCommands(
  cli: string,
  name: string,
  { settings, secrets, others }: GivenAnswers,
  isNew: boolean,
): string[] {
  const word = (value: string) =>
    /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
  const short = (value: string) => (value.includes('\n') ? '"$(cat FILE)"' : word(value));
  const set = (key: string, value: string) => `${cli} config set ${key} ${short(value)} --stack ${name}`;
  return [
    ...(isNew ? [`${cli} stack init ${name} --no-select`] : []),
    ...Object.entries(settings).map(([key, value]) => set(`scipion:${key}`, value)),
    ...Object.entries(others).map(([key, value]) => set(key, value)),
    ...Object.keys(secrets).map((key) => `${cli} config set --secret scipion:${key} --stack ${name}`),
    `${cli} up --stack ${name}`,
  ];
}
