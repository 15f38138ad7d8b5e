import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * The desktop password at rest: `scrypt:N:r:p:<salt base64>:<hash base64>`. The program writes it into the gateway's
 * Secret, the gateway verifies against it. A password is any text that is not empty, up to `MAX_PASSWORD_BYTES` of
 * UTF-8, and is brought into Unicode form NFC first: the same accented letter has two encodings, and which one a
 * keyboard sends depends on its operating system (RFC 8265 section 4.2 does the same). Nothing is trimmed or folded.
 */

/** Every password up to this length passes the login form, whose body may be 64 KiB with percent-encoding (three for one). */
export const MAX_PASSWORD_BYTES = 16 * 1024;

/**
 * 16 MiB of memory for each attempt, so that a small container can verify; `p` makes up for it.
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
 */
const COST = { N: 2 ** 14, r: 8, p: 5 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Above this a hash would take more memory than the gateway's container has. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;

const derive = promisify<Buffer, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

interface ParsedHash {
  readonly cost: { readonly N: number; readonly r: number; readonly p: number };
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** A password or a stored hash that cannot be used. The message never holds either of them. */
export class PasswordHashError extends Error {
  override readonly name = 'PasswordHashError';
}

function passwordBytes(password: string): Buffer {
  const bytes = Buffer.from(password.normalize('NFC'), 'utf8');
  if (bytes.length === 0) {
    throw new PasswordHashError('The desktop password is empty: give one of at least one character.');
  }
  if (bytes.length > MAX_PASSWORD_BYTES) {
    throw new PasswordHashError(
      `The desktop password is too long: ${bytes.length} bytes, ${MAX_PASSWORD_BYTES} are allowed. Choose a shorter one.`,
    );
  }
  return bytes;
}

function scryptOptions({ N, r, p }: ParsedHash['cost']): ScryptOptions {
  return { N, r, p, maxmem: 2 * 128 * N * r + 128 * r * p };
}

/**
 * Makes the stored form of `password`. Takes about a fifth of a second, off the event loop.
 * @param salt 16 bytes; random by default. Give a stored one where the same password must give the same hash, so that
 * a second run of the program changes nothing.
 * @throws PasswordHashError when the password is empty or too long, or the salt has another length.
 */
export async function hashPassword(
  password: string,
  salt: Uint8Array = randomBytes(SALT_BYTES),
): Promise<string> {
  if (salt.length !== SALT_BYTES) {
    throw new PasswordHashError(
      `The salt of the password hash has ${salt.length} bytes, ${SALT_BYTES} are needed.`,
    );
  }
  const hash = await derive(passwordBytes(password), salt, HASH_BYTES, scryptOptions(COST));
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return ['scrypt', COST.N, COST.r, COST.p, base64(salt), base64(hash)].join(':');
}

/** @throws PasswordHashError when `stored` is not `scrypt:N:r:p:salt:hash` with numbers in a usable range. */
export function parsePasswordHash(stored: string): ParsedHash {
  const match = /^scrypt:(\d{1,9}):(\d{1,3}):(\d{1,3}):([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*)$/.exec(
    stored.trim(),
  );
  const [, N, r, p, salt, hash] = match ?? [];
  if (!N || !r || !p || !salt || !hash) {
    throw new PasswordHashError(
      'The stored password hash has another form than `scrypt:N:r:p:<salt base64>:<hash base64>`. Set the desktop password again.',
    );
  }
  const parsed = {
    cost: { N: Number(N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
  const { cost } = parsed;
  const isPowerOfTwo = cost.N > 1 && Number.isInteger(Math.log2(cost.N));
  const isUsable = isPowerOfTwo && cost.r > 0 && cost.p > 0 && cost.p <= 64;
  if (!isUsable || 128 * cost.N * cost.r > MAX_MEMORY_BYTES || parsed.hash.length < 16) {
    throw new PasswordHashError(
      `The stored password hash has cost numbers N=${N} r=${r} p=${p} or a length that cannot be used ` +
        `(N a power of two, 128·N·r at most ${MAX_MEMORY_BYTES} bytes, hash at least 16 bytes). Set the desktop password again.`,
    );
  }
  return parsed;
}

/** Whether a text is the stored form of a password, and not a password. */
export function isPasswordHash(text: string): boolean {
  try {
    return parsePasswordHash(text).salt.length > 0;
  } catch {
    return false;
  }
}

/**
 * Whether `password` is the one `stored` was made of. Takes the same time for every wrong password of a length, off
 * the event loop. Empty and too long passwords are simply wrong.
 * @throws PasswordHashError when `stored` is not a usable hash.
 */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const { cost, salt, hash } = parsePasswordHash(stored);
  let bytes: Buffer;
  try {
    bytes = passwordBytes(password);
  } catch {
    return false;
  }
  const found = await derive(bytes, salt, hash.length, scryptOptions(cost));
  return timingSafeEqual(found, hash);
}
