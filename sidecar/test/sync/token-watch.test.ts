import { afterEach, describe, expect, test } from 'vitest';
import type { TokenCheck } from '../../src/spaces/onedata/index.ts';
import { SpaceError } from '../../src/spaces/space.ts';
import { StatusBoard } from '../../src/sync/service/status-board.ts';
import { TokenWatch, tokenWarnings } from '../../src/sync/service/token-watch.ts';
import { quiet, TestClock } from './world.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-05-04T12:00:00Z');
const GOOD: TokenCheck = { problem: null, expiresAt: null, warnings: [] };
const refused = (code: 'token-expired' | 'unreachable'): TokenCheck => ({
  ...GOOD,
  problem: new SpaceError(code, 'as the server says'),
});

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

/** A project token in memory; `looks` waits until the watch has looked so often. */
function given(first: TokenCheck = GOOD) {
  const clock = new TestClock();
  const board = new StatusBoard(clock);
  const state = { token: 'one', answer: first, checks: 0, looks: 0, renewed: 0 };
  const source = {
    read: async () => {
      state.looks += 1;
      return state.token;
    },
    check: async () => {
      state.checks += 1;
      return state.answer;
    },
  };
  const watch = new TokenWatch({
    sources: { project: source },
    board,
    clock,
    log: quiet,
    onRenewed: () => {
      state.renewed += 1;
    },
  });
  const end = new AbortController();
  ends.push(end);
  const looks = async (count: number) => {
    for (const until = state.looks + count; state.looks < until; ) await new Promise(setImmediate);
  };
  return { clock, board, state, watch, looks, signal: end.signal };
}

describe('a token', () => {
  test('that cannot be used stops the start with the reason', async () => {
    const { watch, board, signal } = given(refused('token-expired'));
    await expect(watch.assertUsable('project', signal)).rejects.toMatchObject({ code: 'token-expired' });
    await expect(watch.assertUsable('source', signal)).resolves.toBeUndefined();
    expect(board.status().tokenExpiresAt).toEqual({ project: null });
  });

  test('is checked hourly and not at every look', async () => {
    const { watch, state, looks, clock, signal } = given();
    await watch.assertUsable('project', signal);
    void watch.run(signal);
    await looks(100);
    expect(state.checks).toBe(1);
    clock.advance(HOUR);
    await looks(3);
    expect(state.checks).toBe(2);
  });

  test('that was changed is checked at once; a good one lets waits go on', async () => {
    const { watch, board, state, looks, signal } = given();
    await watch.assertUsable('project', signal);
    void watch.run(signal);
    state.answer = refused('token-expired');
    state.token = 'two';
    await looks(3);
    expect(board.status().problems).toMatchObject([{ code: 'token-expired', space: 'project' }]);
    expect(board.status().problems[0]?.message).toContain('scipion:projectToken');
    expect(state.renewed).toBe(0);
    state.answer = GOOD;
    state.token = 'three';
    await looks(3);
    expect(board.status().problems).toEqual([]);
    expect(state).toMatchObject({ checks: 3, renewed: 1 });
  });

  test('is no problem of its own while Onedata does not answer', async () => {
    const { watch, board, state, looks, clock, signal } = given();
    await watch.assertUsable('project', signal);
    void watch.run(signal);
    state.answer = refused('unreachable');
    clock.advance(HOUR);
    await looks(3);
    expect(state.checks).toBe(2);
    expect(board.status().problems).toEqual([]);
  });

  test('is checked again when it ends', async () => {
    const { watch, board, state, looks, clock, signal } = given();
    state.answer = { ...GOOD, expiresAt: new Date(clock.now() + HOUR / 2) };
    await watch.assertUsable('project', signal);
    expect(board.status().warnings).toMatchObject([{ code: 'token-expires-soon' }]);
    void watch.run(signal);
    state.answer = { ...refused('token-expired') };
    clock.advance(HOUR / 2 + 2_000);
    await looks(3);
    expect(board.status()).toMatchObject({ problems: [{ code: 'token-expired' }], warnings: [] });
  });
});

test.each<[string, number | null, string[]]>([
  ['never ends', null, []],
  ['ends in three days', NOW + 72 * HOUR, []],
  ['ends tomorrow', NOW + 24 * HOUR, ['token-expires-soon']],
])('a token that %s', (_name, end, codes) => {
  const expiresAt = end === null ? null : new Date(end);
  const warnings = tokenWarnings('source', expiresAt, ['confine it'], NOW);
  expect(warnings.map(({ code }) => code)).toEqual([...codes, 'token-advice']);
  const [first] = warnings;
  if (codes.length > 0) expect(first?.message).toContain('ends at 2026-05-05 12:00 UTC');
});
