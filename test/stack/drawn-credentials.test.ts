import { expect, test } from 'vitest';
import { hashPassword, verifyPassword } from '../../sidecar/contract/password-hash.ts';
import { drawnNames, drawnOf, GATEWAY } from '../../stacks/drawn-credentials.ts';
import { runInstance } from '../helpers/program.ts';

/** What a lost state had drawn, from the living Secret. */

const base64 = (content: string | Buffer) => Buffer.from(content).toString('base64');
const KEY = Buffer.alloc(32, 7);
const living = (hash: string) => ({
  outputs: { data: { 'password-hash': base64(hash), 'session-key': base64(base64(KEY)) } },
});
const tokens = { outputs: { data: { 'source-token': base64('a token') } } };

test('salt and session key are those in use, and the hash stands for the password', async () => {
  const salt = Buffer.alloc(16, 3);
  const hash = await hashPassword('of its user alone', salt);
  const names = drawnNames(GATEWAY);
  const drawn = drawnOf([{ outputs: undefined }, tokens, living(hash)]);
  expect(drawn[names.password]).toEqual({ result: hash });
  expect(await verifyPassword('of its user alone', drawn[names.password]?.result ?? '')).toBe(true);
  expect(drawn[names.salt]).toEqual({ base64: base64(salt), hex: salt.toString('hex') });
  expect(drawn[names.sessionKey]).toEqual({ base64: base64(KEY), hex: KEY.toString('hex') });
});

test('a Secret that is not there or holds no hash tells nothing, so that all is drawn anew', () => {
  expect(drawnOf([tokens])).toEqual({});
  expect(drawnOf([living('not a hash')])).toEqual({});
});

test('the names are those of the program', async () => {
  const { registrations } = await runInstance();
  const random = registrations.filter(({ type }) => type.startsWith('random:')).map(({ name }) => name);
  expect(random.toSorted()).toEqual(Object.values(drawnNames(GATEWAY)).toSorted());
});
