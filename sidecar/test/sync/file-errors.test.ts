import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileProblemCodeSchema } from '../../contract/status.ts';
import { SPACE_ERROR_RETRY, SpaceError, type SpaceErrorCode } from '../../src/spaces/space-error.ts';
import {
  classify,
  DatabaseBusyError,
  FileChangedError,
  FileError,
  type Operation,
} from '../../src/sync/file-errors.ts';
import { FileFailures, fileSentence } from '../../src/sync/file-failures.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { TestClock } from './world.ts';

const errno = (code: string): Error => Object.assign(new Error(code), { code });
const verdictOf = (error: unknown, does: Operation['does'], path: string): string => {
  const { scope, duration, code } = classify(error, { does, path });
  return scope === 'everything' ? scope : `${scope} ${duration} ${code}`;
};

describe('errors of the volume', () => {
  test.each([
    // errno, at one file, at a folder that is listed, and where something is put into place, if that differs
    ['EACCES', 'file until-change no-access', 'folder until-change no-access'],
    ['EPERM', 'file until-change no-access', 'folder until-change no-access'],
    ['EIO', 'file until-change disk-fault', 'folder until-change disk-fault'],
    ['EUCLEAN', 'file until-change disk-fault', 'folder until-change disk-fault'],
    ['ENOENT', 'file now changing', 'folder now changing'],
    ['ENOTDIR', 'file now changing', 'folder now changing'],
    ['ELOOP', 'file now changing', 'folder now changing'],
    ['ESTALE', 'file now changing', 'folder now changing'],
    ['ENAMETOOLONG', 'file never name-too-long', 'folder never name-too-long'],
    ['EISDIR', 'file until-change in-the-way', 'folder until-change in-the-way'],
    ['ENXIO', 'file until-change in-the-way', 'folder until-change in-the-way'],
    ['EFBIG', 'file never not-possible', 'folder never not-possible'],
    ['ERR_OUT_OF_RANGE', 'file never not-possible', 'folder never not-possible'],
    ['ENOSPC', 'everything', 'everything', 'unsure until-change no-room'],
    ['EDQUOT', 'everything', 'everything', 'unsure until-change no-room'],
    [
      'EROFS',
      'file until-change disk-fault',
      'folder until-change disk-fault',
      'unsure until-change disk-fault',
    ],
    [
      'EMFILE',
      'file until-change disk-fault',
      'folder until-change disk-fault',
      'unsure until-change disk-fault',
    ],
    [
      'ENOMEM',
      'file until-change disk-fault',
      'folder until-change disk-fault',
      'unsure until-change disk-fault',
    ],
    ['ERR_SQLITE_ERROR', 'everything', 'everything'],
  ])('%s', (code, file, folder, placed = file) => {
    for (const does of ['read', 'look', 'send'] as const)
      expect(verdictOf(errno(code), does, 'p/a')).toBe(file);
    expect(verdictOf(errno(code), 'place', 'p/a')).toBe(placed);
    expect(verdictOf(errno(code), 'list', 'p')).toBe(folder);
    expect(verdictOf(errno(code), 'list', ''), 'the root is everything').toBe('everything');
  });

  test('what the engine found itself', () => {
    expect(verdictOf(new FileChangedError('x'), 'send', 'a')).toBe('file now changing');
    expect(verdictOf(new DatabaseBusyError('x'), 'send', 'a')).toBe('file now database-locked');
    expect(verdictOf(new FileError('damaged', 'x'), 'fetch', 'a')).toBe('file until-change damaged');
    expect(verdictOf(new Error('a fault of the program'), 'read', 'a')).toBe('everything');
    expect(verdictOf(null, 'read', 'a')).toBe('everything');
  });
});

/** Of a file that is fetched; of an upload, which waits under a name of the engine; of the engine's own file. */
const SPACE_TABLE: Record<SpaceErrorCode, [fetched: string, sent: string, own: string]> = {
  'not-found': ['file now not-in-space', 'unsure until-change space-fault', 'everything'],
  exists: ['file until-change in-the-way', 'unsure until-change space-fault', 'everything'],
  'not-a-directory': ['file until-change in-the-way', 'unsure until-change space-fault', 'everything'],
  'is-a-directory': ['file until-change in-the-way', 'unsure until-change space-fault', 'everything'],
  'not-empty': ['file until-change in-the-way', 'file until-change in-the-way', 'everything'],
  'invalid-name': ['file never name-too-long', 'unsure until-change space-fault', 'everything'],
  unsupported: ['file never not-possible', 'file never not-possible', 'everything'],
  'bad-range': ['file now changing', 'file now changing', 'everything'],
  'bad-request': ['file until-change space-fault', 'file until-change space-fault', 'everything'],
  'odd-entry': ['file until-change space-fault', 'file until-change space-fault', 'everything'],
  'listing-incomplete': ['unsure now space-fault', 'unsure now space-fault', 'everything'],
  'transfer-broken': ['unsure now space-fault', 'unsure now space-fault', 'everything'],
  stalled: ['unsure now space-fault', 'unsure now space-fault', 'everything'],
  unavailable: ['unsure now space-fault', 'unsure now space-fault', 'everything'],
  unreachable: ['unsure now space-fault', 'unsure now space-fault', 'everything'],
  'not-mounted': ['everything', 'everything', 'everything'],
  'token-invalid': ['unsure until-change no-access', 'unsure until-change no-access', 'everything'],
  'token-expired': ['unsure until-change no-access', 'unsure until-change no-access', 'everything'],
  'token-not-permitted': ['unsure until-change no-access', 'unsure until-change no-access', 'everything'],
  'space-unknown': ['unsure until-change no-access', 'unsure until-change no-access', 'everything'],
  'space-not-supported': ['unsure until-change space-fault', 'unsure until-change space-fault', 'everything'],
  'space-full': ['unsure until-change space-fault', 'unsure until-change space-fault', 'everything'],
  'read-only': ['unsure until-change space-fault', 'unsure until-change space-fault', 'everything'],
};

describe('errors of a space', () => {
  test.each(Object.keys(SPACE_ERROR_RETRY) as SpaceErrorCode[])('%s', (code) => {
    const [fetched, sent, own] = SPACE_TABLE[code];
    expect(verdictOf(new SpaceError(code, 'x'), 'fetch', 'p/a')).toBe(fetched);
    expect(verdictOf(new SpaceError(code, 'x', { path: '.scipion-sync/staging/v/u-1' }), 'send', 'p/a')).toBe(
      sent,
    );
    expect(verdictOf(new SpaceError(code, 'x', { path: '.scipion-sync/head.json' }), 'fetch', 'p/a')).toBe(
      own,
    );
    expect(verdictOf(new SpaceError(code, 'x'), 'list', '')).toBe('everything');
  });
});

describe('what is left out', () => {
  const failures = (space: MemorySpace) =>
    new FileFailures({ space, clock: new TestClock() }, 'source', 'stage-in');
  const broken = new SpaceError('unavailable', 'HTTP 500');

  test('one file, where the space answers for itself; everything, where it does not', async () => {
    const space = new MemorySpace();
    const found = failures(space);
    await found.note(broken, { does: 'fetch', path: 'a' });
    expect(found.problems).toMatchObject({ total: 1, items: [{ path: 'a', code: 'space-fault' }] });
    space.check = () => Promise.reject(new SpaceError('token-expired', 'ended'));
    await expect(found.note(broken, { does: 'fetch', path: 'b' })).rejects.toThrow('ended');
    expect(found.count).toBe(1);
  });

  test('of an upload, where the space takes another one; everything, where it does not', async () => {
    const found = failures(new MemorySpace());
    const full = new SpaceError('space-full', 'no room');
    await found.note(full, { does: 'send', path: 'a' }, () => Promise.resolve());
    expect(found.problems).toMatchObject({ total: 1, items: [{ path: 'a', code: 'space-fault' }] });
    const trial = () => Promise.reject(new Error('nor the trial'));
    await expect(found.note(full, { does: 'send', path: 'b' }, trial)).rejects.toThrow('nor the trial');
    expect(found.count).toBe(1);
  });

  test('of a place on the volume, where the volume takes other files of that size', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'file-errors-'));
    try {
      const found = new FileFailures(
        { space: new MemorySpace(), clock: new TestClock(), scratch },
        'project',
        'restore',
      );
      const place = { does: 'fetch', path: 'a', bytes: 1_000 } as const;
      await found.note(errno('ENOSPC'), place);
      expect(found.problems).toMatchObject({ total: 1, items: [{ path: 'a', code: 'no-room' }] });
      expect(readdirSync(scratch), 'nothing stays').toEqual([]);
      await expect(found.note(errno('ENOSPC'), { ...place, bytes: 2 ** 52 })).rejects.toThrow('do not fit');
      rmSync(scratch, { recursive: true });
      expect(() => found.noteLocal(errno('EROFS'), { does: 'place', path: 'b' })).toThrow('ENOENT');
      expect(found.count).toBe(1);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  test('sixteen in a row are everything; one that goes well begins the count anew', async () => {
    const found = failures(new MemorySpace());
    for (let n = 0; n < 15; n += 1) await found.note(broken, { does: 'fetch', path: `a${n}` });
    found.succeeded();
    for (let n = 0; n < 15; n += 1) await found.note(broken, { does: 'fetch', path: `b${n}` });
    await expect(found.note(broken, { does: 'fetch', path: 'last' })).rejects.toBe(broken);
  });

  test('names are bounded, the number is right', () => {
    const found = failures(new MemorySpace());
    for (let n = 0; n < 5_000; n += 1) found.noteLocal(errno('EACCES'), { does: 'place', path: `a${n}` });
    expect(found.problems.total).toBe(5_000);
    expect(found.problems.items).toHaveLength(200);
  });

  test('each has a sentence that blames neither token nor network', () => {
    for (const code of fileProblemCodeSchema.options)
      for (const during of ['stage-in', 'restore', 'save'] as const) {
        const text = fileSentence(code, { isFolder: false, space: 'project', during });
        expect(text).toMatch(/^[A-Z].*\.$/);
        expect(text).not.toMatch(/token|network|host/i);
      }
  });
});
