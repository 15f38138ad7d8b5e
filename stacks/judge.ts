import { notesOf } from './fields.ts';
import { claimOf, isToken } from './grammar.ts';
import {
  editDistance,
  secretProblem,
  settingProblem,
  shownValue,
  unknownKeyProblem,
  uselessProblem,
} from './problems.ts';
import { brokenRules } from './rules.ts';
import {
  isSecretKey,
  SECRET_KEYS,
  SETTING_FIELDS,
  type SecretKey,
  type Settings,
  settingsSchema,
} from './schema.ts';

/** Whether a stack's configuration is right, and what to say where it is not. Pure, and without Pulumi. */

export const PREFIX = 'scipion:';

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

export interface Judgement {
  /** Present when there is no problem. */
  readonly settings?: Settings;
  readonly problems: readonly string[];
}

function settingValues({ stack, values }: RawStack): Record<string, string> {
  // An empty value takes back what Pulumi.yaml says for the site, e.g. an issuer of certificates.
  const entries = Object.entries(values).filter(([key, value]) => !isSecretKey(key) && value !== '');
  return { namespace: stack, ...Object.fromEntries(entries) };
}

function foundText(raw: RawStack, key: string): string | undefined {
  const value = raw.values[key];
  if (value === undefined)
    return key === 'namespace' ? `${shownValue(raw.stack)}, the stack's name` : undefined;
  if (raw.secretKeys.has(key)) return 'a secret value';
  return shownValue(value);
}

/** The fields that are readable one by one, for the rules between them. */
function readableSettings(values: Readonly<Record<string, string>>): Partial<Settings> {
  const parsed = Object.entries(SETTING_FIELDS).map(
    ([key, type]) => [key, type.safeParse(values[key])] as const,
  );
  return Object.fromEntries(parsed.flatMap(([key, result]) => (result.success ? [[key, result.data]] : [])));
}

/** How other tools write "nothing"; here it would be a name. */
const NULLS = ['null', '~', 'undefined', 'None'];

function settingProblems(raw: RawStack, values: Readonly<Record<string, string>>): string[] {
  const { stack } = raw;
  const known = new Set(Object.keys(SETTING_FIELDS));
  const unknown = Object.keys(values).filter((key) => !known.has(key));
  const keys = Object.keys(SETTING_FIELDS) as (keyof Settings)[];
  const isNull = (key: string) => NULLS.includes(values[key]?.trim() ?? '');
  const isHidden = (key: string) => values[key] !== undefined && raw.secretKeys.has(key);
  const broken = keys.filter((key) => !SETTING_FIELDS[key].safeParse(values[key]).success);
  return [
    ...unknown.map((key) => unknownKeyProblem(stack, `${PREFIX}${key}`)),
    ...misspeltPrefixes(raw).map((key) => unknownKeyProblem(stack, key)),
    ...keys.flatMap((key) => {
      if (isNull(key))
        return settingProblem(
          stack,
          key,
          foundText(raw, key),
          `${notesOf(SETTING_FIELDS[key]).allowed}; for nothing at all an empty value ('')`,
        );
      if (broken.includes(key)) return settingProblem(stack, key, foundText(raw, key));
      const allowed = 'a value in clear, since it stands in clear in the cluster';
      return isHidden(key) ? settingProblem(stack, key, 'a value stored encrypted', allowed) : [];
    }),
    ...brokenRules(readableSettings(values)).map((refusal) =>
      'useless' in refusal
        ? uselessProblem(stack, refusal.key, refusal.useless)
        : settingProblem(stack, refusal.key, foundText(raw, refusal.key) ?? 'the default', refusal.allowed),
    ),
  ];
}

/** `scipoin:memory` would else be a key of nobody, which nobody reads. */
const misspeltPrefixes = ({ otherKeys = [] }: RawStack) =>
  otherKeys.filter((key) => {
    const prefix = key.split(':', 1)[0] ?? '';
    return prefix.length < 20 && editDistance(prefix.toLowerCase(), 'scipion') <= 2;
  });

export type TokenKey = 'sourceToken' | 'projectToken';

const isTokenKey = (key: SecretKey): key is TokenKey => key === 'sourceToken' || key === 'projectToken';

/** Why the stack needs no token of this side: it is in a Secret of the user's, or with whoever made the claim. */
export function tokenElsewhere(
  values: Readonly<Record<string, string | undefined>>,
  key: TokenKey,
): string | undefined {
  const side = key === 'sourceToken' ? 'source' : 'project';
  const mount = values[`${side}Mount`];
  if (claimOf(mount) !== undefined) return `${side}Mount names a claim that shows the space`;
  if (values[`${side}Secret`]) return `${side}Secret names the Secret that holds the token`;
  // The driver does not know the keys of our Secret.
  if (mount === 'csi-onedata' || !values.onedataSecret) return undefined;
  return 'onedataSecret names the Secret that holds the token';
}

/** Many strangers may try at once, a few dozen passwords a second in all. */
const PASSWORD_LENGTH = { least: 12, most: 256 } as const;

/** What a preview puts in place of a secret that it must not have. */
const isPlaceholder = (value: string) => value.startsWith('placeholder');

function secretFormProblem(raw: RawStack, key: SecretKey): string | undefined {
  const { stack } = raw;
  const value = raw.values[key];
  const elsewhere = isTokenKey(key) ? tokenElsewhere(raw.values, key) : unusedSecret(raw.values, key);
  if (value === undefined) {
    return !isTokenKey(key) || elsewhere !== undefined
      ? undefined
      : secretProblem(stack, key, 'nothing', 'a token of Onedata, stored encrypted');
  }
  if (!raw.secretKeys.has(key))
    return secretProblem(stack, key, 'a value stored in clear', 'a value stored encrypted');
  if (elsewhere !== undefined) return uselessProblem(stack, key, elsewhere);
  if (value.trim() === '') return secretProblem(stack, key, 'an empty value', 'text');
  if (isPlaceholder(value)) return undefined;
  if (isTokenKey(key)) return tokenProblem(stack, key, value.trim());
  return key === 'desktopPassword'
    ? passwordProblem(stack, key, value)
    : clientSecretProblem(stack, key, value.trim());
}

/** Why nothing would read a secret that is no token. */
function unusedSecret(values: RawStack['values'], key: Exclude<SecretKey, TokenKey>): string | undefined {
  // Also where no password opens the desktop: a new one ends every session.
  if (key === 'desktopPassword') return undefined;
  return values.signInIssuer ? undefined : 'without signInIssuer nobody signs in elsewhere';
}

function clientSecretProblem(stack: string, key: SecretKey, secret: string): string | undefined {
  if (/^[\x20-\x7e]{1,1000}$/.test(secret)) return undefined;
  const found = `a value of ${secret.length} characters that is no secret of a client`;
  return secretProblem(
    stack,
    key,
    found,
    'up to 1000 visible ASCII characters on one line, as the provider shows it',
  );
}

function tokenProblem(stack: string, key: SecretKey, token: string): string | undefined {
  if (/\s/.test(token))
    return secretProblem(
      stack,
      key,
      'a value with spaces or line breaks inside',
      'one token, as Onedata shows it',
    );
  if (isToken(token)) return undefined;
  const found = `a value of ${token.length} characters that is no token`;
  return secretProblem(
    stack,
    key,
    found,
    'one token, as Onedata shows it: 20 characters or more, of letters, digits and _+/=.:~-',
  );
}

function passwordProblem(stack: string, key: SecretKey, password: string): string | undefined {
  const { least, most } = PASSWORD_LENGTH;
  const allowed = `${least} to ${most} characters on one line, without control characters`;
  // A person can type neither into a login page.
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(password))
    return secretProblem(stack, key, 'a value with line breaks or control characters', allowed);
  const length = [...password].length;
  if (length >= least && length <= most) return undefined;
  return secretProblem(stack, key, `a value of ${length} characters`, allowed);
}

function secretProblems(raw: RawStack): string[] {
  const forms = (Object.keys(SECRET_KEYS) as SecretKey[]).map((key) => secretFormProblem(raw, key));
  const { sourceToken, projectToken } = raw.values;
  const token = sourceToken?.trim() ?? '';
  const isSame = token !== '' && !isPlaceholder(token) && token === projectToken?.trim();
  const same = isSame
    ? [
        secretProblem(
          raw.stack,
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
