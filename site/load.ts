import { readFileSync } from 'node:fs';
import * as pulumi from '@pulumi/pulumi';
import { parse } from 'yaml';
import { judgeConfig } from '../console/src/config.ts';
import { notesOf } from '../stacks/fields.ts';
import { expectedError } from '../stacks/load.ts';
import { shownValue } from '../stacks/problems.ts';
import { consoleSettings } from './console-settings.ts';
import { SECRET_FILES, type SiteSecretKey } from './names.ts';
import { SITE_FIELDS, type SiteSettings, siteSchema } from './schema.ts';

/** The only reader of the configuration of a site. */

export interface SiteConfig extends SiteSettings {
  /** The console's own configuration as it was given, which is judged. */
  readonly given: object;
  /** Pulumi.yaml of the instances of this site. */
  readonly project: object;
  readonly secrets: Readonly<Partial<Record<SiteSecretKey, pulumi.Output<string>>>>;
  /** Those that there are. */
  readonly secretKeys: readonly SiteSecretKey[];
}

const PROJECT = 'scipion-site';
/** Where the program of the instances is in the image. */
const PROGRAM = '/opt/scipion';
const SECRET_KEYS = Object.keys(SECRET_FILES) as SiteSecretKey[];

const command = (key: string, isSecret = false) => `pulumi config set ${isSecret ? '--secret ' : ''}${key}`;

function problemsOf(values: Readonly<Record<string, string>>, secretKeys: ReadonlySet<string>): string[] {
  const known = [...Object.keys(SITE_FIELDS), ...SECRET_KEYS];
  const unknown = Object.keys(values)
    .filter((key) => !known.includes(key))
    .map((key) => `${key}: found a key that is not known; remove it: pulumi config rm ${key}`);
  const wrong = Object.entries(SITE_FIELDS).flatMap(([key, type]) => {
    const result = type.safeParse(values[key]);
    if (result.success) return [];
    const found = shown(values[key]);
    const about = result.error.issues
      .filter(({ path, message }) => path.length > 0 && message !== 'not allowed')
      .map(({ path, message }) => ` (${path.join('.')}: ${message})`)
      .join('');
    return [
      `${key}: found ${found}${about}; allowed: ${notesOf(type).allowed}; set it: ${command(key)} '${notesOf(type).example}'`,
    ];
  });
  const clear = SECRET_KEYS.filter((key) => values[key] !== undefined && !secretKeys.has(key)).map(
    (key) => `${key}: found a value stored in clear; set it again: ${command(key, true)}`,
  );
  return [...unknown, ...wrong, ...clear, ...missing(values)];
}

function missing(values: Readonly<Record<string, string>>): string[] {
  const { passphrase, secretsProvider } = values;
  const one = `set one of both: ${command('passphrase', true)}, or ${command('secretsProvider')}`;
  if (passphrase === undefined && secretsProvider === undefined)
    return [
      `passphrase: found neither a passphrase nor a secretsProvider, so secrets would be in clear; ${one}`,
    ];
  if (passphrase !== undefined && secretsProvider !== undefined)
    return [`passphrase: found a secretsProvider besides; ${one}`];
  return [];
}

/** What may hold a password is not shown. */
function shown(value: string | undefined): string {
  if (value === undefined) return 'nothing';
  return /@|password|secret/i.test(value) && value.includes('://')
    ? `a value of ${value.length} characters that may hold a password (not shown)`
    : shownValue(value);
}

/** @throws pulumi.RunError with every problem at once */
export function loadSite(): SiteConfig {
  const prefix = `${PROJECT}:`;
  const own = Object.entries(pulumi.runtime.allConfig()).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
  );
  const values = Object.fromEntries(own);
  const config = new pulumi.Config(PROJECT);
  const isSecret = (pulumi.runtime as unknown as { isConfigSecret?: (key: string) => boolean })
    .isConfigSecret;
  const stored = new Set(own.map(([key]) => key).filter((key) => isSecret?.(`${prefix}${key}`) ?? false));
  const problems = problemsOf(values, stored);
  if (problems.length > 0) throw refusal(problems);
  const plain = Object.fromEntries(own.filter(([key]) => Object.hasOwn(SITE_FIELDS, key)));
  const settings = siteSchema.parse(plain);
  const secretKeys = SECRET_KEYS.filter((key) => values[key] !== undefined);
  const given = JSON.parse(values.console ?? '{}') as object;
  try {
    judgeConfig(consoleSettings({ host: settings.host, given, secretKeys }), 'of the key `console`');
  } catch (error) {
    throw refusal([(error as Error).message]);
  }
  return {
    ...settings,
    given,
    project: projectOf(JSON.parse(values.instances ?? '{}')),
    secretKeys,
    secrets: Object.fromEntries(secretKeys.map((key) => [key, config.requireSecret(key)])),
  };
}

/** The project as this repository has it, with what the site says; its stacks lie beside it. */
function projectOf(instances: object): object {
  const text = readFileSync(new URL('../Pulumi.yaml', import.meta.url), 'utf8');
  const { stackConfigDir: _, config, ...project } = parse(text) as { config: object; stackConfigDir: string };
  const own = Object.fromEntries(Object.entries(instances).map(([key, value]) => [`scipion:${key}`, value]));
  return { ...project, main: PROGRAM, config: { ...config, ...own } };
}

const refusal = (problems: readonly string[]) =>
  expectedError(
    [
      `The configuration of this site has ${problems.length === 1 ? '1 problem' : `${problems.length} problems`}; nothing was changed.`,
      ...problems.map((problem) => `  ${problem}`),
      'docs/site.md describes every key.',
    ].join('\n'),
  );
