import { claimOf, isToken } from './grammar.ts';
import { editDistance, secretProblem, unknownKeyProblem, uselessSecretProblem } from './problems.ts';
import {
  isSecretKey,
  SECRET_KEYS,
  SETTING_FIELDS,
  type SecretKey,
  type Settings,
  settingsSchema,
} from './schema.ts';
import { type RawStack, settingProblems } from './settings.ts';

export type { RawStack };

/** Whether a stack's configuration is right, and what to say where it is not. Pure, and without Pulumi. */

export const PREFIX = 'scipion:';

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

function unknownKeys(raw: RawStack, values: Readonly<Record<string, string>>): string[] {
  const unknown = Object.keys(values).filter((key) => !Object.hasOwn(SETTING_FIELDS, key));
  return [...unknown.map((key) => `${PREFIX}${key}`), ...misspeltPrefixes(raw)].map((key) =>
    unknownKeyProblem(raw.stack, key),
  );
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
/** One key held down, or what nobody sees, is no password. */
const PASSWORD_VARIETY = 5;

/** What a preview without secrets has in place of each; nobody can type it, and Pulumi takes no such secret from a terminal. */
const PLACEHOLDER = 'placeholder\u0000';
const isPlaceholder = (value: string) => value === PLACEHOLDER;

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
  if (elsewhere !== undefined) return uselessSecretProblem(stack, key, elsewhere);
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
  return values.signInIssuer ? undefined : 'without signInIssuer there is no sign-in elsewhere';
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
  const allowed = `${least} to ${most} characters on one line, without control characters, ${PASSWORD_VARIETY} of them visible and different`;
  // A person can type neither into a login page.
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(password))
    return secretProblem(stack, key, 'a value with line breaks or control characters', allowed);
  const length = [...password].length;
  if (length < least || length > most)
    return secretProblem(stack, key, `a value of ${length} characters`, allowed);
  const seen = new Set(password.match(/[\p{L}\p{N}\p{P}\p{S}]/gu)).size;
  return seen >= PASSWORD_VARIETY
    ? undefined
    : secretProblem(stack, key, 'a value with too few different characters', allowed);
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
  const problems = [...unknownKeys(raw, values), ...settingProblems(raw, values), ...secretProblems(raw)];
  return problems.length > 0 ? { problems } : { problems, settings: settingsSchema.parse(values) };
}
