import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  makeOpeningCode,
  type OpeningCodeError,
  openingAddress,
  openingKeyOf,
  readOpeningCode,
} from '../../contract/opening-code.ts';
import { cookieOf, isLoggedIn, SAME_ORIGIN } from './helpers/client.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

const KEY = openingKeyOf(Buffer.alloc(32, 7));
const ORIGIN = 'https://scipion.demo.example.org';
const NOW = Date.parse('2026-11-30T12:00:00Z');
const made = (more: object = {}) =>
  makeOpeningCode({ key: KEY, origin: ORIGIN, user: 'jane', now: NOW, ...more });
const reasonOf = (code: string, more: object = {}) =>
  readOpeningCode(code, { key: KEY, origin: ORIGIN, now: NOW, ...more }).then(
    () => 'taken',
    (error: OpeningCodeError) => error.reason,
  );

describe('a code', () => {
  test('says for whom and how long it is', async () => {
    expect(
      await readOpeningCode(await made({ seconds: 20 }), { key: KEY, origin: ORIGIN, now: NOW }),
    ).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      user: 'jane',
      madeAt: NOW,
      endsAt: NOW + 20_000,
    });
    expect(openingAddress(`${ORIGIN}/`, 'CODE')).toBe(`${ORIGIN}/open#CODE`);
  });

  test('lasts a minute at most, whatever is asked for, and a few seconds are forgiven to clocks', async () => {
    const code = await made({ seconds: 3600 });
    const after = (seconds: number) => reasonOf(code, { now: NOW + seconds * 1000 });
    expect([await after(59), await after(64), await after(65), await after(3600)]).toEqual([
      'taken',
      'taken',
      'ended',
      'ended',
    ]);
    expect([await after(-5), await after(-6)]).toEqual(['taken', 'early']);
  });

  test('is of one instance and its key', async () => {
    const code = await made();
    expect(await reasonOf(code, { origin: 'https://scipion.other.example.org' })).toBe('elsewhere');
    expect(await reasonOf(code, { key: openingKeyOf(Buffer.alloc(32, 8)) })).toBe('invalid');
    expect(() => openingKeyOf(Buffer.alloc(31).toString('base64'))).toThrow('has 31 bytes; at least 32');
    expect(openingKeyOf(Buffer.alloc(32, 7).toString('base64'))).toEqual(KEY);
  });

  test.each<[string, object, object]>([
    ['of another type', { typ: 'JWT' }, {}],
    ['without a type', { typ: undefined }, {}],
    ['for longer than a minute', {}, { exp: NOW / 1000 + 3600 }],
    ['without an end', {}, { exp: undefined }],
    ['without a time', {}, { iat: undefined }],
    ['without an id', {}, { jti: undefined }],
    ['with an id that is a path', {}, { jti: '../../../etc/passwd' }],
    ['without a user', {}, { sub: undefined }],
    ['for nobody', {}, { sub: '' }],
  ])('%s is none', async (_what, header, claims) => {
    const iat = NOW / 1000;
    const right = { aud: ORIGIN, sub: 'jane', jti: 'a'.repeat(36), iat, exp: iat + 60 };
    const sign = (head: object, content: object) =>
      new SignJWT({ ...right, ...content })
        .setProtectedHeader({ alg: 'HS256', typ: 'scipion-opening+jwt', ...head })
        .sign(KEY);
    expect(await reasonOf(await sign({}, {}))).toBe('taken');
    expect(await reasonOf(await sign(header, claims))).toBe('invalid');
  });

  test('that is any text, or changed in one place, is none', async () => {
    const code = await made();
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 3000 }), async (text) => {
        expect(await reasonOf(text)).toBe('invalid');
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(code.length - 1),
        fc.constantFrom('A', '.', '-', ' '),
        async (at, character) => {
          const changed = code.slice(0, at) + character + code.slice(at + 1);
          // The last character of base64 has bits that say nothing.
          if (changed !== code && at !== code.length - 1) expect(await reasonOf(changed)).toBe('invalid');
        },
      ),
    );
  });
});

describe('the gateway', () => {
  let gateway: RunningGateway;
  let ahead = 0;
  beforeEach(async () => {
    ahead = 0;
    gateway = await startGateway({ now: () => Date.now() + ahead });
  });
  afterEach(() => gateway.stop());

  const code = (more: object = {}) =>
    makeOpeningCode({
      key: openingKeyOf(gateway.sessionKey),
      origin: gateway.origin,
      user: 'jane',
      now: Date.now() + ahead,
      ...more,
    });
  const trade = (given: unknown, headers: Record<string, string> = SAME_ORIGIN) =>
    fetch(`${gateway.origin}/open`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ code: given }),
    });
  const answerOf = async (given: unknown) => {
    const answer = await trade(given);
    return `${answer.status} ${((await answer.json()) as { code?: string }).code ?? ''}`.trim();
  };

  test('trades a code once for a session, and tells whom it let in', async () => {
    const given = await code();
    const answer = await trade(given);
    expect(answer.status).toBe(200);
    expect(await isLoggedIn(gateway, cookieOf(answer, '__Host-scipion'))).toBe(true);
    expect(await answerOf(given)).toBe('401 opening-used');
    const log = gateway.log.join('');
    expect(log).toContain('"door":"console","user":"jane"');
    expect(log).not.toContain(given);
    const page = await (await fetch(`${gateway.origin}/open`)).text();
    expect(page).toContain('id="notice"');
  });

  test('takes one of many tries at the same time', async () => {
    const given = await code();
    const answers = await Promise.all(Array.from({ length: 20 }, () => answerOf(given)));
    expect(answers.filter((answer) => answer === '200')).toHaveLength(1);
  });

  test('refuses a used code after a restart, with what was kept and without', async () => {
    const [used, fresh] = [await code(), await code()];
    expect(await answerOf(used)).toBe('200');
    await gateway.restart();
    expect(await answerOf(used)).toBe('401 opening-used');
    expect(await answerOf(fresh)).toBe('200');
    const late = await code();
    const file = join(gateway.stateDirectory, 'used-codes.json');
    writeFileSync(file, 'damaged');
    await gateway.restart();
    expect(await answerOf(used)).toBe('401 opening-used');
    expect(await answerOf(late)).toBe('401 opening-used');
    expect(gateway.log.join('')).toContain('used-codes.json cannot be read');
    expect(await answerOf(await code())).toBe('200');
  });

  test('uses none before its time, so that a gateway that knows nothing of the use refuses it', async () => {
    const early = await code({ now: Date.now() + 1500 });
    const began = Date.now();
    const answers = await Promise.all([answerOf(early), answerOf(early), answerOf(early)]);
    expect(answers.sort()).toEqual(['200', '401 opening-used', '401 opening-used']);
    expect(Date.now() - began).toBeGreaterThan(1300);
    rmSync(join(gateway.stateDirectory, 'used-codes.json'));
    await gateway.restart();
    expect(await answerOf(early)).toBe('401 opening-used');
    expect(await answerOf(await code())).toBe('200');
  });

  test('refuses what is late, early, for another instance, by another key, or nothing', async () => {
    const now = Date.now() + ahead;
    expect(await answerOf(await code({ now: now - 70_000 }))).toBe('401 opening-ended');
    expect(await answerOf(await code({ now: now + 70_000 }))).toBe('401 opening-early');
    expect(await answerOf(await code({ origin: 'https://scipion.other.example.org' }))).toBe(
      '401 opening-elsewhere',
    );
    expect(await answerOf(await code({ key: openingKeyOf(Buffer.alloc(32)) }))).toBe('401 opening-invalid');
    for (const given of ['', 'x', 'a.b.c', 'x'.repeat(10_000)]) {
      expect(await answerOf(given)).toBe('401 opening-invalid');
    }
    for (const given of [null, 7, {}, ['x']]) expect(await answerOf(given)).toBe('400 page-outdated');
  });

  test('takes none from a page of another site', async () => {
    const given = await code();
    const other = { origin: 'https://console.example', 'sec-fetch-site': 'cross-site' };
    expect((await trade(given, other)).status).toBe(403);
    expect(await answerOf(given)).toBe('200');
  });

  test('goes on when its clock was ahead and is put right', async () => {
    ahead = 3_600_000;
    writeFileSync(join(gateway.stateDirectory, 'used-codes.json'), 'damaged');
    await gateway.restart();
    ahead = 0;
    expect(await answerOf(await code())).toBe('401 opening-used');
    ahead = 1500;
    expect(await answerOf(await code())).toBe('200');
  });
});
