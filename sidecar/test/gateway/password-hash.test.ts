import { describe, expect, test } from 'vitest';
import {
  hashPassword,
  MAX_PASSWORD_BYTES,
  parsePasswordHash,
  verifyPassword,
} from '../../contract/password-hash.ts';

const SALT = Buffer.alloc(16, 7);

describe('password hash', () => {
  test('has the agreed form, and the same salt gives the same hash', async () => {
    const stored = await hashPassword('correct horse', SALT);
    expect(stored).toMatch(/^scrypt:16384:8:5:BwcHBwcHBwcHBwcHBwcHBw==:[A-Za-z0-9+/]{43}=$/);
    expect(await hashPassword('correct horse', SALT)).toBe(stored);
    expect(await hashPassword('correct horse')).not.toBe(stored);
  });

  test.each([
    ['one character', 'x'],
    ['longer than the eight that VNC itself would look at', 'eight888-and-more'],
    ['the longest allowed', 'a'.repeat(MAX_PASSWORD_BYTES)],
    ['blanks at both ends', '  spaced  '],
    ['a colon, as the stored form has', 'a:b:c'],
    ['not Latin', '密码🔬'],
  ])('accepts %s and nothing near it', async (_name, password) => {
    const stored = await hashPassword(password, SALT);
    expect(await verifyPassword(password, stored)).toBe(true);
    expect(await verifyPassword(password.slice(0, -1), stored)).toBe(false);
    expect(await verifyPassword(`${password} `, stored)).toBe(false);
  });

  test('takes both encodings of an accented letter', async () => {
    const composed = 'caf\u00e9';
    const decomposed = 'cafe\u0301';
    expect(await verifyPassword(decomposed, await hashPassword(composed, SALT))).toBe(true);
  });

  test('refuses to store an empty or an absurdly long password', async () => {
    await expect(hashPassword('')).rejects.toThrow(/empty/);
    await expect(hashPassword('a'.repeat(MAX_PASSWORD_BYTES + 1))).rejects.toThrow(
      /16385 bytes, 16384 are allowed/,
    );
  });

  test('a wrong length is just a wrong password', async () => {
    const stored = await hashPassword('x', SALT);
    expect(await verifyPassword('', stored)).toBe(false);
    expect(await verifyPassword('a'.repeat(MAX_PASSWORD_BYTES + 1), stored)).toBe(false);
  });

  test.each([
    [''],
    ['plain'],
    ['scrypt:16384:8:5:BwcH'],
    ['scrypt:16383:8:5:BwcH:aGFzaGhhc2hoYXNoaGFzaA=='],
    ['scrypt:1073741824:8:5:BwcH:aGFzaGhhc2hoYXNoaGFzaA=='],
    ['scrypt:16384:8:0:BwcH:aGFzaGhhc2hoYXNoaGFzaA=='],
    ['scrypt:16384:8:5:BwcH:aGFz'],
  ])('says that %j is no stored hash', (stored) => {
    expect(() => parsePasswordHash(stored)).toThrow(/stored password hash/);
  });

  test('reads a hash file with a line end', async () => {
    expect(await verifyPassword('x', `${await hashPassword('x', SALT)}\n`)).toBe(true);
  });
});
