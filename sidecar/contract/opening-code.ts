import { createHmac, randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';

/**
 * One-time codes by which a site's console opens an instance in the browser of its user. A code is a JSON Web Token,
 * signed with HS256 and a key that the console derives from the instance's gateway Secret. The console sends the browser to
 * `openingAddress`; behind the `#` the code reaches no log of a proxy. The page hands it to the gateway by POST, which
 * takes each code once and opens a session like one of a login.
 */

/** Path of the page that takes a code. */
export const OPENING_PATH = '/open';
/** From when it is made; a console has it used at once. */
export const MAX_OPENING_SECONDS = 60;
/** By which the clocks of console and gateway may differ. */
export const OPENING_TOLERANCE_SECONDS = 5;

const ALGORITHM = 'HS256';
/** Keeps tokens of other kinds apart, also such as are signed with the same key. */
const TYPE = 'scipion-opening+jwt';
const KEY_PURPOSE = 'scipion: one-time codes that open an instance, 1';
const MIN_KEY_BYTES = 32;
const MAX_CODE_LENGTH = 2000;
const MAX_USER_LENGTH = 200;
/** A difference of times with fractions is not exact. */
const ROUNDING_SECONDS = 0.001;

/** What a code says beside its audience. */
export interface Opening {
  /** Of this code alone. */
  readonly id: string;
  /** Whom the console lets in, as it calls them; for the log. */
  readonly user: string;
  /** In ms since 1970. */
  readonly madeAt: number;
  readonly endsAt: number;
}

/**
 * `invalid`: not made with this key, or changed. `elsewhere`: for another instance. `ended`: too old. `early`: made by a clock
 * that is ahead.
 */
export type OpeningRefusal = 'invalid' | 'elsewhere' | 'ended' | 'early';

/** A code that opens nothing. The message does not hold it. */
export class OpeningCodeError extends Error {
  override readonly name = 'OpeningCodeError';
  readonly reason: OpeningRefusal;

  constructor(reason: OpeningRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * The key of an instance's codes.
 * @param sessionKey content of `GATEWAY_SECRET_KEYS.sessionKey`: its bytes, or their base64
 * @throws Error for one that is too short to be a key
 */
export function openingKeyOf(sessionKey: Uint8Array | string): Uint8Array {
  const bytes = typeof sessionKey === 'string' ? Buffer.from(sessionKey.trim(), 'base64') : sessionKey;
  if (bytes.length < MIN_KEY_BYTES) {
    throw new Error(
      `The key of the sessions has ${bytes.length} bytes; at least ${MIN_KEY_BYTES} are needed to sign codes with it.`,
    );
  }
  return createHmac('sha256', bytes).update(KEY_PURPOSE).digest();
}

export interface OpeningCodeOptions {
  /** Of `openingKeyOf`. */
  readonly key: Uint8Array;
  /** Of the instance, e.g. `https://scipion.demo.example.org`. */
  readonly origin: string;
  readonly user: string;
  /** @default MAX_OPENING_SECONDS */
  readonly seconds?: number;
  /** In ms since 1970. @default Date.now() */
  readonly now?: number;
}

/** A code for one use. */
export async function makeOpeningCode(options: OpeningCodeOptions): Promise<string> {
  const { key, origin, user, seconds = MAX_OPENING_SECONDS, now = Date.now() } = options;
  // To the millisecond: a gateway that has just begun refuses what was made before.
  const madeAt = now / 1000;
  return new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
    .setAudience(new URL(origin).origin)
    .setSubject([...user].slice(0, MAX_USER_LENGTH).join(''))
    .setJti(randomUUID())
    .setIssuedAt(madeAt)
    .setExpirationTime(madeAt + Math.min(seconds, MAX_OPENING_SECONDS))
    .sign(key);
}

/** Where the console sends the browser, by a link or an answer with `Location`. */
export function openingAddress(origin: string, code: string): string {
  return `${new URL(origin).origin}${OPENING_PATH}#${code}`;
}

const claimsSchema = z.object({
  jti: z.string().regex(/^[\w-]{16,64}$/),
  sub: z
    .string()
    .min(1)
    .max(2 * MAX_USER_LENGTH),
  iat: z.number().nonnegative(),
  exp: z.number().nonnegative(),
});

/**
 * Whether it was used already is not known here.
 * @throws OpeningCodeError
 */
export async function readOpeningCode(
  code: string,
  { key, origin, now = Date.now() }: Pick<OpeningCodeOptions, 'key' | 'origin' | 'now'>,
): Promise<Opening> {
  if (code.length > MAX_CODE_LENGTH) throw new OpeningCodeError('invalid', 'The code is too long.');
  const { payload } = await jwtVerify(code, key, {
    algorithms: [ALGORITHM],
    typ: TYPE,
    audience: origin,
    requiredClaims: ['jti', 'sub', 'iat', 'exp'],
    maxTokenAge: MAX_OPENING_SECONDS,
    clockTolerance: OPENING_TOLERANCE_SECONDS,
    currentDate: new Date(now),
  }).catch((cause: unknown) => {
    throw new OpeningCodeError(reasonOf(cause), 'The code opens nothing here.', { cause });
  });
  const claims = claimsSchema.safeParse(payload);
  if (!claims.success || claims.data.exp - claims.data.iat > MAX_OPENING_SECONDS + ROUNDING_SECONDS) {
    throw new OpeningCodeError('invalid', 'The code does not say what a code says.');
  }
  const { jti: id, sub: user, iat, exp } = claims.data;
  return { id, user, madeAt: Math.round(iat * 1000), endsAt: Math.round(exp * 1000) };
}

function reasonOf(error: unknown): OpeningRefusal {
  if (error instanceof errors.JWTExpired) return 'ended';
  if (!(error instanceof errors.JWTClaimValidationFailed) || error.reason !== 'check_failed')
    return 'invalid';
  if (error.claim === 'aud') return 'elsewhere';
  return error.claim === 'iat' ? 'early' : 'invalid';
}
