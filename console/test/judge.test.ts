import { describe, expect, test } from 'vitest';
import type { LiveState } from '../../automation/fleet/index.ts';
import { judgeRule, NEW_NOTE, type Note, type RuleSettings } from '../src/rules/judge.ts';
import type { RuleReason } from '../src/view-types.ts';
import { SAVED } from './helpers/fake-cluster.ts';

/** When an instance is warned and paused, without any clock. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2027-03-01T12:00:00Z');
const SETTINGS: RuleSettings = {
  idle: { pauseAfterMs: 24 * HOUR, warnMs: 2 * HOUR },
  expiry: { warnMs: 7 * DAY },
};
const idleFor = (hours: number | null): LiveState => ({
  phase: 'running',
  warnings: [],
  sync: {
    ...SAVED,
    activity: { windows: 0, protocols: 0, cpus: 0, idleSeconds: hours === null ? null : hours * 3600 },
  },
});

interface Given {
  readonly live?: LiveState | undefined;
  readonly note?: Note;
  readonly elapsedMs?: number;
  readonly now?: number;
  readonly expiresAt?: string;
  readonly isPaused?: boolean;
  readonly operation?: never;
}
const judge = (why: RuleReason, { live = idleFor(0), note, elapsedMs = 0, now = NOW, ...own }: Given) =>
  judgeRule(why, SETTINGS, { summary: { lastUpdate: 'once', ...own }, live, note, now, elapsedMs });
const warned = (hours: number): Note => ({ ...NEW_NOTE, warnedMs: hours * HOUR });

describe('an idle instance', () => {
  test('is warned before its time, and paused after it', () => {
    expect(judge('idle', { live: idleFor(21.9) })).toEqual({ kind: 'fine' });
    expect(judge('idle', { live: idleFor(22) })).toEqual({
      kind: 'warned',
      note: NEW_NOTE,
      at: NOW + 2 * HOUR,
    });
    const hour = { live: idleFor(23), note: NEW_NOTE, elapsedMs: HOUR };
    expect(judge('idle', hour)).toMatchObject({ kind: 'warned', at: NOW + HOUR });
    const end = { live: idleFor(24), note: warned(1), elapsedMs: HOUR };
    expect(judge('idle', end)).toMatchObject({ kind: 'due', at: NOW });
  });

  test('is warned for the whole time, however long it was idle when it was first seen', () => {
    expect(judge('idle', { live: idleFor(500) })).toMatchObject({ kind: 'warned', at: NOW + 2 * HOUR });
    const soon = { live: idleFor(501), note: NEW_NOTE, elapsedMs: HOUR };
    expect(judge('idle', soon)).toMatchObject({ kind: 'warned', at: NOW + HOUR });
  });

  test('does not become due by a clock that jumps', () => {
    const now = NOW + 365 * DAY;
    expect(judge('idle', { live: idleFor(0), now })).toEqual({ kind: 'fine' });
    expect(judge('idle', { live: idleFor(23), note: warned(1), now })).toMatchObject({ kind: 'warned' });
  });

  test('is none while it is not known, is at work, or something is done to it', () => {
    const note = warned(100);
    const unknown: (LiveState | undefined)[] = [
      idleFor(null),
      { phase: 'unknown', warnings: [] },
      { phase: 'running', reason: 'sync does not answer', warnings: [] },
      { phase: 'running', warnings: [], sync: SAVED },
      { phase: 'starting', warnings: [] },
    ];
    for (const live of unknown)
      expect(judge('idle', { live: live as LiveState, note })).toEqual({ kind: 'unknown' });
    const settings = { summary: { lastUpdate: 'once' }, live: undefined, note, now: NOW, elapsedMs: 0 };
    expect(judgeRule('idle', SETTINGS, settings)).toEqual({ kind: 'unknown' });
    expect(judge('idle', { live: idleFor(99), note, operation: {} as never })).toEqual({ kind: 'unknown' });
    expect(judge('idle', { live: idleFor(99), note, isPaused: true })).toEqual({ kind: 'fine' });
    expect(judgeRule('idle', {}, { ...settings, live: idleFor(99) })).toEqual({ kind: 'fine' });
  });

  test('whose pause did not succeed waits for the next try', () => {
    const note = { ...warned(5), waitMs: HOUR };
    expect(judge('idle', { live: idleFor(30), note, elapsedMs: HOUR / 2 })).toMatchObject({
      kind: 'warned',
      at: NOW + HOUR / 2,
    });
    expect(judge('idle', { live: idleFor(30), note, elapsedMs: HOUR })).toMatchObject({ kind: 'due' });
  });
});

describe('an instance whose time ends', () => {
  const expiresAt = '2027-03-05T12:00:00Z';
  test('is warned days before, and paused then', () => {
    const before = Date.parse(expiresAt) - 8 * DAY;
    expect(judge('expiry', { expiresAt, now: before })).toEqual({ kind: 'fine' });
    expect(judge('expiry', { expiresAt })).toMatchObject({ kind: 'warned', at: Date.parse(expiresAt) });
    const end = { expiresAt, now: Date.parse(expiresAt), note: warned(96) };
    expect(judge('expiry', end)).toMatchObject({ kind: 'due' });
    expect(judge('expiry', {})).toEqual({ kind: 'fine' });
    expect(judge('expiry', { expiresAt: 'some day' })).toEqual({ kind: 'fine' });
  });

  test('has a day of notice that was counted, whatever the clock says', () => {
    const now = NOW + 365 * DAY;
    expect(judge('expiry', { expiresAt, now })).toMatchObject({ kind: 'warned', at: now + DAY });
    expect(judge('expiry', { expiresAt, now, note: warned(23) })).toMatchObject({ kind: 'warned' });
    expect(judge('expiry', { expiresAt, now, note: warned(24) })).toMatchObject({ kind: 'due' });
    // The clock is right again: nothing was paused, and the warning is taken back.
    expect(judge('expiry', { expiresAt: '2028-01-01T00:00:00Z', note: warned(23) })).toEqual({
      kind: 'fine',
    });
  });

  test('is not paused while it cannot be asked, and so not be saved', () => {
    const live: LiveState = { phase: 'running', reason: 'sync does not answer', warnings: [] };
    const given = { expiresAt, now: Date.parse(expiresAt) + DAY, note: warned(500) };
    expect(judge('expiry', { ...given, live })).toMatchObject({ kind: 'warned' });
    expect(judge('expiry', { ...given, live: { phase: 'starting', warnings: [] } })).toMatchObject({
      kind: 'warned',
    });
  });
});
