import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseDocument, visit } from 'yaml';
import * as z from 'zod';
import { EngineError } from './protocol.ts';
import { decryptText, stackFileKey } from './secrets.ts';

/** A value of the stack's configuration, as YAML and JSON have them. */
export type ConfigValue = string | number | boolean | null | ConfigValue[] | { [key: string]: ConfigValue };

export interface ConfigSources {
  /** Folder of Pulumi.yaml. */
  readonly directory: string;
  readonly stack: string;
  readonly config: Readonly<Record<string, ConfigValue>>;
  readonly secretConfig: Readonly<Record<string, ConfigValue>>;
  /** Whether the stack's file is read where it exists. */
  readonly stackFile: boolean;
  /** `placeholder`: a secret that cannot be decrypted here becomes `SECRET_PLACEHOLDER`, still secret. */
  readonly undecryptable: 'error' | 'placeholder';
  /** Every secret is a placeholder: no passphrase is read, and no key derived, which takes a second a stack. */
  readonly withoutSecrets?: boolean;
}

export interface ProgramSettings {
  readonly directory: string;
  readonly project: string;
  readonly main?: string;
  readonly typescript: boolean;
  readonly config: Readonly<Record<string, string>>;
  readonly secretKeys: readonly string[];
}

/** Ends in what no secret has, so that a secret that somebody chose is never taken for one that is not at hand. */
export const SECRET_PLACEHOLDER = 'placeholder\u0000';

const projectSchema = z.looseObject({
  name: z.string().min(1),
  runtime: z.union([
    z.string(),
    z.looseObject({
      name: z.string(),
      options: z.looseObject({ typescript: z.boolean().optional() }).optional(),
    }),
  ]),
  main: z.string().optional(),
  stackConfigDir: z.string().optional(),
  config: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
});

const stackSchema = z.looseObject({
  encryptionsalt: z.string().optional(),
  config: z.record(z.string(), z.unknown()).nullish(),
});

/**
 * Settings of the program for one stack. Later sources win: defaults in Pulumi.yaml, the stack's file, `config`,
 * `secretConfig`.
 * @throws EngineError for a missing Pulumi.yaml, files that do not parse, declared keys without a value.
 */
export async function loadConfig(sources: ConfigSources): Promise<ProgramSettings> {
  const directory = resolve(sources.directory);
  const projectFile = join(directory, 'Pulumi.yaml');
  if (!existsSync(projectFile)) {
    throw new EngineError(`${projectFile} does not exist. Expected: the folder of a Pulumi program.`);
  }
  const project = await readYaml(projectFile, projectSchema);
  const runtime = typeof project.runtime === 'string' ? project.runtime : project.runtime.name;
  if (runtime !== 'nodejs') {
    throw new EngineError(
      `${projectFile}: found runtime "${runtime}"; the recording engine runs "nodejs" programs only.`,
    );
  }
  const entries = new Map<string, Entry>();
  const declared = declaredKeys(project.name, typeof project.config === 'object' ? project.config : {});
  for (const { key, value, secret } of declared) {
    if (value !== undefined) entries.set(key, { text: toText(value), secret });
  }
  const stackFile = join(directory, project.stackConfigDir ?? '.', `Pulumi.${sources.stack}.yaml`);
  if (sources.stackFile && existsSync(stackFile))
    await addStackFile(entries, stackFile, project.name, sources);
  for (const [key, value] of Object.entries(sources.config)) {
    entries.set(fullKey(project.name, key), { text: toText(value), secret: false });
  }
  for (const [key, value] of Object.entries(sources.secretConfig)) {
    entries.set(fullKey(project.name, key), { text: toText(value), secret: true });
  }
  refuseMissing(sources.stack, declared, entries);
  return {
    directory,
    project: project.name,
    ...(project.main === undefined ? {} : { main: project.main }),
    typescript: typeof project.runtime === 'string' || project.runtime.options?.typescript !== false,
    config: Object.fromEntries([...entries].map(([key, entry]) => [key, entry.text])),
    secretKeys: [...entries].filter(([, entry]) => entry.secret).map(([key]) => key),
  };
}

/** As `loadConfig`, of what the files say, with placeholders for secrets. */
export function loadWithoutSecrets(directory: string, stack: string): Promise<ProgramSettings> {
  const [config, secretConfig] = [{}, {}];
  return loadConfig({
    directory,
    stack,
    config,
    secretConfig,
    stackFile: true,
    undecryptable: 'placeholder',
    withoutSecrets: true,
  });
}

/** Folder of the stacks' files of a project. @throws EngineError as `loadConfig` */
export async function stackFolder(directory: string): Promise<string> {
  const { stackConfigDir = '.' } = await readYaml(join(directory, 'Pulumi.yaml'), projectSchema);
  return join(resolve(directory), stackConfigDir);
}

interface Entry {
  readonly text: string;
  readonly secret: boolean;
}

interface Declared {
  readonly key: string;
  readonly value: unknown;
  readonly required: boolean;
  readonly secret: boolean;
}

function fullKey(project: string, key: string): string {
  return key.includes(':') ? key : `${project}:${key}`;
}

/** `config:` of Pulumi.yaml: `key: value`, or a declaration with `type`, `default`, `value`, `secret`, `description`. */
function declaredKeys(project: string, config: Record<string, unknown>): Declared[] {
  return Object.entries(config).map(([name, declaration]) => {
    const key = fullKey(project, name);
    if (typeof declaration !== 'object' || declaration === null || Array.isArray(declaration)) {
      return { key, value: declaration, required: false, secret: false };
    }
    const { value, default: preset, secret } = declaration as Record<string, unknown>;
    const given = value ?? preset;
    return { key, value: given, required: given === undefined, secret: secret === true };
  });
}

async function addStackFile(
  entries: Map<string, Entry>,
  path: string,
  project: string,
  sources: ConfigSources,
): Promise<void> {
  const file = await readYaml(path, stackSchema);
  const decrypt = sources.withoutSecrets
    ? () => SECRET_PLACEHOLDER
    : await decrypter(path, file.encryptionsalt, sources.undecryptable);
  for (const [name, raw] of Object.entries(file.config ?? {})) {
    const seen = { secret: false };
    const value = resolveSecure(raw, (text) => {
      seen.secret = true;
      return decrypt(`${name} in ${path}`, text);
    });
    entries.set(fullKey(project, name), { text: toText(value), secret: seen.secret });
  }
}

/** Replaces each `{ secure: <ciphertext> }`, at any depth, by its text. */
function resolveSecure(value: unknown, decrypt: (text: string) => string): unknown {
  if (Array.isArray(value)) return value.map((part) => resolveSecure(part, decrypt));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0] === 'secure' && typeof first[1] === 'string')
    return decrypt(first[1]);
  return Object.fromEntries(entries.map(([key, part]) => [key, resolveSecure(part, decrypt)]));
}

async function decrypter(
  path: string,
  salt: string | undefined,
  undecryptable: ConfigSources['undecryptable'],
): Promise<(what: string, text: string) => string> {
  const passphrase = await readPassphrase();
  if (salt !== undefined && passphrase !== undefined) {
    const key = await stackFileKey(salt, passphrase).catch((cause: unknown) => {
      throw new EngineError(
        `${path}: PULUMI_CONFIG_PASSPHRASE does not open its secrets. Expected: the passphrase they were set with.`,
        { cause },
      );
    });
    return (_what, text) => decryptText(key, text);
  }
  if (undecryptable === 'placeholder') return () => SECRET_PLACEHOLDER;
  return (what) => {
    throw new EngineError(
      `${what} is encrypted and cannot be read here: found ${salt === undefined ? 'no encryptionsalt (another secrets provider)' : 'no passphrase'}. Set PULUMI_CONFIG_PASSPHRASE_FILE to the file with the passphrase, or use Pulumi itself.`,
    );
  };
}

async function readPassphrase(): Promise<string | undefined> {
  const file = process.env.PULUMI_CONFIG_PASSPHRASE_FILE;
  if (process.env.PULUMI_CONFIG_PASSPHRASE !== undefined) return process.env.PULUMI_CONFIG_PASSPHRASE;
  if (!file) return undefined;
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new EngineError(`PULUMI_CONFIG_PASSPHRASE_FILE: ${file} cannot be read`, { cause });
  }
}

/** Pulumi stores configuration as text; structures as JSON. */
function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function refuseMissing(stack: string, declared: readonly Declared[], entries: Map<string, Entry>): void {
  const missing = declared.filter((key) => key.required && !entries.has(key.key));
  if (missing.length === 0) return;
  const lines = missing.map(({ key, secret }) => {
    const command = `pulumi config set ${secret ? '--secret ' : ''}${key} --stack ${stack}`;
    return `  ${key}: found no value, expected one: ${command}`;
  });
  throw new EngineError(
    `stack "${stack}" lacks configuration that Pulumi.yaml declares:\n${lines.join('\n')}`,
  );
}

async function readYaml<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError(`${path} cannot be read: ${cause.message}. Expected: a YAML file.`, { cause });
  });
  let content: unknown;
  try {
    content = parseAsPulumi(decodeUtf8(bytes)) ?? {};
  } catch (cause) {
    // Besides its own errors the parser throws others, for aliases without end and for nesting that is too deep.
    throw new EngineError(`${path} is not valid YAML: ${(cause as Error).message}`, { cause });
  }
  const result = schema.safeParse(content);
  if (!result.success) throw new EngineError(`${path}:\n${z.prettifyError(result.error)}`);
  return result.data;
}

/** Texts that Pulumi's parser takes for numbers in another way than this one, or with digits that this one loses. */
const OTHER_NUMBER = /^[-+]?(0[0-9_]+|0b[01_]+|[0-9][0-9_]*_[0-9_]*)$/;

/** @throws Error where Pulumi would read another value than the one that is read here */
function parseAsPulumi(text: string): unknown {
  const document = parseDocument(text, { merge: true });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  visit(document, {
    Scalar: (_key, { type, source, value }) => {
      if (type !== 'PLAIN' || source === undefined) return;
      const isLong = typeof value === 'number' && /^[-+]?\d+$/.test(source) && !Number.isSafeInteger(value);
      if (isLong || OTHER_NUMBER.test(source))
        throw new Error(
          `found ${source}, which is a number that is read in more than one way; expected quotes around it`,
        );
    },
  });
  return document.toJS();
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('found bytes that are not UTF-8; expected text in UTF-8');
  }
}
