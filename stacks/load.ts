import * as pulumi from '@pulumi/pulumi';
import { problemsMessage, secretProblem, settingProblem, unknownKeyProblem } from './problems.ts';
import { brokenRules } from './rules.ts';
import { SECRET_KEYS, SETTING_FIELDS, type SecretKey, type Settings, settingsSchema } from './schema.ts';

/** The only reader of the stack's configuration. */

const PREFIX = 'scipion:';

/** Set by `npm run destroy`: a configuration that is wrong must not keep an instance from being removed. */
export const REMOVING_VARIABLE = 'SCIPION_REMOVING';

/** One instance as the components take it: no defaults left to find, secrets only as Outputs. */
export interface InstanceConfig extends Settings {
  readonly stack: string;
  /** Absent where a Secret that exists has it, or a claim shows the space. */
  readonly sourceToken?: pulumi.Output<string>;
  readonly projectToken?: pulumi.Output<string>;
  /** Absent: one is drawn. */
  readonly desktopPassword?: pulumi.Output<string>;
}

/** What a stack says, before it is judged. Plain data, so that every refusal can be tested as a table. */
export interface RawStack {
  readonly stack: string;
  /** Key without prefix → text, secrets included. */
  readonly values: Readonly<Record<string, string>>;
  /** Keys, without prefix, whose value is stored encrypted. */
  readonly secretKeys: ReadonlySet<string>;
}

export interface Judgement {
  /** Present when there is no problem. */
  readonly settings?: Settings;
  readonly problems: readonly string[];
}

const isSecretKey = (key: string): key is SecretKey => Object.hasOwn(SECRET_KEYS, key);

function settingValues({ stack, values }: RawStack): Record<string, string> {
  // An empty value takes back what Pulumi.yaml says for the site, e.g. an issuer of certificates.
  const entries = Object.entries(values).filter(([key, value]) => !isSecretKey(key) && value !== '');
  return { namespace: stack, ...Object.fromEntries(entries) };
}

function foundText(raw: RawStack, key: string): string | undefined {
  const value = raw.values[key];
  if (value === undefined) return key === 'namespace' ? `"${raw.stack}", the stack's name` : undefined;
  if (raw.secretKeys.has(key)) return 'a secret value';
  const shown = value.length > 60 ? `${value.slice(0, 57)}…` : value;
  return JSON.stringify(shown);
}

/** The fields that are readable one by one, for the rules between them. */
function readableSettings(values: Readonly<Record<string, string>>): Partial<Settings> {
  const parsed = Object.entries(SETTING_FIELDS).map(
    ([key, type]) => [key, type.safeParse(values[key])] as const,
  );
  return Object.fromEntries(parsed.flatMap(([key, result]) => (result.success ? [[key, result.data]] : [])));
}

function settingProblems(raw: RawStack, values: Readonly<Record<string, string>>): string[] {
  const known = new Set(Object.keys(SETTING_FIELDS));
  const unknown = Object.keys(values).filter((key) => !known.has(key));
  const broken = (Object.keys(SETTING_FIELDS) as (keyof Settings)[]).filter(
    (key) => !SETTING_FIELDS[key].safeParse(values[key]).success,
  );
  return [
    ...unknown.map(unknownKeyProblem),
    ...broken.map((key) => settingProblem(key, foundText(raw, key))),
    ...brokenRules(readableSettings(values)).map(({ key, allowed }) =>
      settingProblem(key, foundText(raw, key) ?? 'the default', allowed),
    ),
  ];
}

/** Elsewhere it may be in a Secret of the user's, or with whoever made the claim. */
function isTokenNeeded({ values }: RawStack, key: 'sourceToken' | 'projectToken'): boolean {
  const isSource = key === 'sourceToken';
  const mount = isSource ? values.sourceMount : values.projectMount;
  const ownSecret = isSource ? values.sourceSecret : values.projectSecret;
  if (mount?.startsWith('claim/') || ownSecret) return false;
  // The driver does not know the keys of our Secret.
  return mount === 'csi-onedata' || !values.onedataSecret;
}

function secretFormProblem(raw: RawStack, key: SecretKey): string | undefined {
  const value = raw.values[key];
  const isToken = key !== 'desktopPassword';
  if (value === undefined) {
    return isToken && isTokenNeeded(raw, key)
      ? secretProblem(key, 'nothing', 'a token of Onedata, stored encrypted')
      : undefined;
  }
  if (!raw.secretKeys.has(key))
    return secretProblem(key, 'a value stored in clear', 'a value stored encrypted');
  if (value.trim() === '') return secretProblem(key, 'an empty value', 'text');
  if (isToken && /\s/.test(value.trim())) {
    return secretProblem(key, 'a value with spaces or line breaks inside', 'one token, as Onedata shows it');
  }
  return undefined;
}

function secretProblems(raw: RawStack): string[] {
  const forms = (Object.keys(SECRET_KEYS) as SecretKey[]).map((key) => secretFormProblem(raw, key));
  const { sourceToken, projectToken } = raw.values;
  const token = sourceToken?.trim() ?? '';
  // A preview without secrets has a short placeholder for each; a real token is far longer.
  const isSame = token.length >= 20 && token === projectToken?.trim();
  const same = isSame
    ? [
        secretProblem(
          'projectToken',
          'the same value as scipion:sourceToken',
          'a token of its own: one that reads the source, one that writes the project',
        ),
      ]
    : [];
  return [...forms.filter((problem) => problem !== undefined), ...same];
}

/** Judges a configuration as a whole. Pure: the same stack gives the same problems in the same order. */
export function judge(raw: RawStack): Judgement {
  const values = settingValues(raw);
  const problems = [...settingProblems(raw, values), ...secretProblems(raw)];
  return problems.length > 0 ? { problems } : { problems, settings: settingsSchema.parse(values) };
}

/** The SDK keeps this function out of its types, although `Config.get` warns by it. */
const secretQuestion = pulumi.runtime as unknown as { isConfigSecret?: (key: string) => boolean };

function readStack(): RawStack {
  const own = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(PREFIX));
  const isSecret = ([key]: [string, string]) => secretQuestion.isConfigSecret?.(key) ?? false;
  const bare = (key: string) => key.slice(PREFIX.length);
  return {
    stack: pulumi.getStack(),
    values: Object.fromEntries(own.map(([key, value]) => [bare(key), value])),
    secretKeys: new Set(own.filter(isSecret).map(([key]) => bare(key))),
  };
}

/** What is left of a stack that is only being removed: its configuration is wrong and need not be right. */
export interface RemovalConfig {
  readonly kind: 'removal';
  readonly discardUnsavedChanges: boolean;
  readonly problems: readonly string[];
}

export interface UsableConfig extends InstanceConfig {
  readonly kind: 'instance';
}

/** An expected error. Its stack says nothing, and the SDK would colour every line of it before it shows the message. */
function configurationError(message: string): pulumi.RunError {
  return Object.assign(new pulumi.RunError(message), { stack: '' });
}

/**
 * The stack's configuration.
 * @throws pulumi.RunError with every problem at once, except while the instance is being removed.
 */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): UsableConfig | RemovalConfig {
  const raw = readStack();
  const { settings, problems } = judge(raw);
  if (settings === undefined) {
    if (environment[REMOVING_VARIABLE] !== 'true')
      throw configurationError(problemsMessage(raw.stack, problems));
    return { kind: 'removal', discardUnsavedChanges: raw.values.discardUnsavedChanges === 'true', problems };
  }
  const config = new pulumi.Config('scipion');
  const secrets = (Object.keys(SECRET_KEYS) as SecretKey[]).flatMap((key) => {
    const value = config.getSecret(key);
    return value === undefined
      ? []
      : [[key, key === 'desktopPassword' ? value : value.apply((text) => text.trim())]];
  });
  return Object.freeze({
    kind: 'instance' as const,
    stack: raw.stack,
    ...settings,
    ...(Object.fromEntries(secrets) as Partial<Record<SecretKey, pulumi.Output<string>>>),
  });
}
