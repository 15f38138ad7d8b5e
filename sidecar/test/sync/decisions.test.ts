import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { targetBytes, targetText } from '../../src/spaces/link-target.ts';
import { SpaceError } from '../../src/spaces/space.ts';
import type { BaseEntry, LocalEntry, RemoteEntry } from '../../src/sync/model.ts';
import { encodedName, isEncodingOf, NameCodec } from '../../src/sync/names.ts';
import { localState, remoteState, sameVersion } from '../../src/sync/plan/compare.ts';
import { deletionRefusal } from '../../src/sync/plan/guards.ts';
import { decodeItem, encodeItem, type PlanItem, summarise } from '../../src/sync/plan/plan.ts';
import { DECISIONS, decide } from '../../src/sync/plan/table.ts';
import { bytesText } from '../../src/sync/restore/free-space.ts';
import { parseDumpLine } from '../../src/sync/restore/predecessor.ts';
import { conflictName, trashFolder, trashTime } from '../../src/sync/save/space-layout.ts';
import { heldBackProblem, toProblem } from '../../src/sync/service/problems.ts';

const local: LocalEntry = {
  path: 'a',
  kind: 'file',
  size: 3,
  mtimeNs: 10n,
  ctimeNs: 11n,
  mode: 0o644,
  inode: 5n,
  links: 1,
  target: null,
};
const base: BaseEntry = {
  path: 'a',
  kind: 'file',
  size: 3,
  mtimeNs: 10n,
  ctimeNs: 11n,
  mode: 0o644,
  inode: 5n,
  target: null,
  hash: 'h',
  linkGroup: null,
  remote: { id: 'r', size: 3, mtimeSeconds: 7 },
  racy: false,
};
const remote: RemoteEntry = { path: 'a', kind: 'file', id: 'r', size: 3, mtimeSeconds: 7 };

describe('the decision table', () => {
  test('has exactly one rule for each combination that can be', () => {
    const expected: string[] = [];
    for (const left of ['absent', 'present'])
      for (const right of ['absent', 'present']) expected.push(`none ${left} ${right}`);
    for (const left of ['absent', 'same', 'meta', 'changed']) {
      for (const right of ['absent', 'same', 'changed']) expected.push(`known ${left} ${right}`);
    }
    expect(DECISIONS.map((each) => `${each.base} ${each.local} ${each.remote}`).sort()).toEqual(
      expected.sort(),
    );
  });

  test('never loses the only copy of something', () => {
    for (const { base: known, local: here, remote: there, start, running } of DECISIONS) {
      for (const action of [start, running]) {
        if (action === 'remove-remote') expect([here, there]).toEqual(['absent', 'same']);
        if (action === 'remove-local') expect([known, here, there]).toEqual(['known', 'same', 'absent']);
        // A version of ours that the space does not have is never replaced.
        if (action === 'download') expect(['absent', 'same', 'meta']).toContain(here);
        // A version of theirs that we have never seen is never replaced.
        if (action === 'upload') expect(['absent', 'same']).toContain(there);
      }
      // Under a running Scipion nothing changes on the volume.
      expect(['download', 'remove-local']).not.toContain(running);
    }
  });

  test('is the one in the documentation', () => {
    const text = readFileSync(new URL('../../../docs/sync-semantics.md', import.meta.url), 'utf8');
    const rows = text.split('\n').filter((line) => /^\| (none|known) \|/.test(line));
    expect(rows).toEqual(
      DECISIONS.map(
        (each) =>
          `| ${each.base} | ${each.local} | ${each.remote} | ${each.start} | ${each.running} | ${each.why} |`,
      ),
    );
  });

  test('refuses a combination that cannot be', () => {
    expect(() => decide('known', 'present', 'same', 'start')).toThrow('no rule');
    expect(decide('known', 'absent', 'same', 'running')).toBe('remove-remote');
  });
});

describe('compare', () => {
  test.each([
    ['nothing known', null, local, 'present'],
    ['gone', base, null, 'absent'],
    ['untouched', base, local, 'same'],
    ['other size', base, { ...local, size: 4 }, 'changed'],
    ['other time', base, { ...local, mtimeNs: 12n }, 'unsure'],
    ['other inode', base, { ...local, inode: 6n }, 'unsure'],
    ['times set back', base, { ...local, ctimeNs: 99n }, 'unsure'],
    ['other mode', base, { ...local, mode: 0o600 }, 'unsure'],
    ['written as it was read', { ...base, racy: true }, local, 'unsure'],
    ['no hash to compare', { ...base, hash: null }, { ...local, mtimeNs: 12n }, 'changed'],
    ['other kind', base, { ...local, kind: 'directory' as const }, 'changed'],
  ])('local: %s', (_name, known, found, verdict) => {
    expect(localState(known, found)).toBe(verdict);
  });

  test.each([
    ['nothing known', null, remote, 'present'],
    ['gone', base, null, 'absent'],
    ['untouched', base, remote, 'same'],
    ['other size', base, { ...remote, size: 4 }, 'changed'],
    ['other time', base, { ...remote, mtimeSeconds: 8 }, 'changed'],
    ['time not known yet', base, { ...remote, mtimeSeconds: null }, 'same'],
    ['another file', base, { ...remote, id: 'q' }, 'changed'],
    ['other kind', base, { ...remote, kind: 'symlink' as const }, 'changed'],
  ])('remote: %s', (_name, known, found, verdict) => {
    expect(remoteState(known, found, true)).toBe(verdict);
  });

  test('ids count only where they stay', () => {
    expect(sameVersion(remote, { ...remote, id: 'q' }, false)).toBe(true);
    expect(sameVersion(remote, { ...remote, id: 'q' }, true)).toBe(false);
  });
});

describe('guards', () => {
  test.each([
    [20, 20, null],
    [21, 21, /21 of 21 files \(100 %\)/],
    [50, 100, null],
    [51, 100, /51 of 100/],
    [1000, 0, /1000 of 0/],
  ])('%i of %i removals', (removals, known, refusal) => {
    const found = deletionRefusal(removals, known, { share: 0.5, count: 20 });
    if (refusal === null) expect(found).toBeNull();
    else expect(found).toMatch(refusal);
  });
});

describe('plan items', () => {
  test('come back from text as they were', () => {
    const item: PlanItem = {
      path: 'a',
      action: 'upload',
      local: { ...local, mtimeNs: 1_790_000_000_123_456_789n },
      base,
      remote,
    };
    expect(decodeItem(encodeItem(item))).toEqual(item);
    expect(summarise([item, item])).toEqual({ actions: { upload: { count: 2, bytes: 6 } } });
  });
});

describe('names', () => {
  const store = new Map<string, Uint8Array>();
  const codec = new NameCodec(
    {
      rememberName: (encoded, raw) => void store.set(encoded, raw),
      rawName: (encoded) => store.get(encoded) ?? null,
    },
    {
      symlinks: true,
      idsSurviveMove: true,
      maxNameBytes: 255,
      reservedNamePrefixes: ['.__onedata__'],
      reservedNameParts: ['####TO_DELETE'],
      concurrency: 1,
    },
  );
  test.each([
    ['plain', 'a b.txt', 'a b.txt'],
    ['unicode', 'ünï', 'ünï'],
    ['not UTF-8', Buffer.from([0x61, 0xff]), 'a_.scipion-name-'],
    ['reserved', '.__onedata__x', '___onedata__x.scipion-name-'],
    ['the folder of the engine', '.scipion-sync', '_scipion-sync.scipion-name-'],
    ['looks encoded', `x.scipion-name-${'0'.repeat(24)}`, `x_scipion-name-${'0'.repeat(24)}.scipion-name-`],
  ])('%s', (_name, raw, expected) => {
    const bytes = Buffer.from(raw as string);
    const encoded = codec.encode(bytes, '');
    expect(encoded.startsWith(expected)).toBe(true);
    expect(codec.bytes(`dir/${encoded}`)).toEqual(Buffer.concat([Buffer.from('dir/'), bytes]));
    expect(Buffer.byteLength(encoded)).toBeLessThanOrEqual(255);
  });
  test('bytes from a manifest must be a plain name, and the right one', () => {
    const raw = Buffer.from([0xff]);
    expect(isEncodingOf(encodedName(raw), raw)).toBe(true);
    expect(isEncodingOf(encodedName(raw), Buffer.from('other'))).toBe(false);
    for (const evil of ['..', 'a/b', '.', ''])
      expect(isEncodingOf(encodedName(Buffer.from(evil)), Buffer.from(evil))).toBe(false);
  });
  test('link targets are bytes too', () => {
    for (const raw of [Buffer.from('/mnt/a b'), Buffer.from([0xff, 0x2f]), Buffer.from('\uFFFFx')]) {
      expect(targetBytes(targetText(raw))).toEqual(raw);
    }
  });
  test('conflict names fit and keep the ending', () => {
    expect(conflictName('d/notes.txt', 0, 0)).toBe('d/notes (changed elsewhere 19700101T000000Z).txt');
    expect(Buffer.byteLength(conflictName(`${'ü'.repeat(125)}.mrc`, 0, 3))).toBeLessThanOrEqual(255);
    const folder = trashFolder(1_790_000_000_000, 'id').split('/').at(-1) as string;
    expect(trashTime(folder)).toBe(1_790_000_000_000);
    expect(trashTime('something')).toBeNull();
  });
});

describe('the predecessor’s list of links', () => {
  const directories = new Set(['', 'p', 'p q', 'p/Runs']);
  test.each([
    ['/a p/l', { target: '/a', path: 'p/l' }],
    ['/a b p q/l', { target: '/a b', path: 'p q/l' }],
    ['/a ./p/Runs/x y', { target: '/a', path: 'p/Runs/x y' }],
    ['/a nowhere/l', null],
    ['/a ../l', null],
    ['/a /etc/l', null],
    ['word', null],
    ['', null],
  ])('%s', (line, expected) => {
    expect(parseDumpLine(line, (path) => directories.has(path))).toEqual(expected);
  });
});

describe('problems', () => {
  test.each([
    ['unreachable', 'onedata-unreachable'],
    ['token-invalid', 'token-invalid'],
    ['token-expired', 'token-expired'],
    ['token-not-permitted', 'token-not-permitted'],
    ['space-unknown', 'space-unknown'],
    ['space-not-supported', 'space-not-supported'],
    ['space-full', 'space-full'],
    ['bad-request', 'internal'],
  ] as const)('%s is told as %s', (code, problem) => {
    const found = toProblem(new SpaceError(code, 'detail'), 'source', '2026-01-01T00:00:00Z');
    expect(found).toMatchObject({ code: problem, space: 'source' });
    expect(found.message).toMatch(/detail/);
  });
  test('removals that were held back come with the number that confirms them', () => {
    const found = heldBackProblem({ removals: 34, why: 'many' }, '2026-01-01T00:00:00Z');
    expect(found).toMatchObject({ code: 'deletions-guarded', confirm: { what: 'deletions', count: 34 } });
    expect(heldBackProblem(null, '2026-01-01T00:00:00Z')).toBeNull();
  });
  test('a full disk is one too', () => {
    expect(
      toProblem(Object.assign(new Error('x'), { code: 'ENOSPC' }), 'project', '2026-01-01T00:00:00Z').code,
    ).toBe('volume-full');
  });
  test('sizes are for people', () => {
    expect([0, 1023, 1024, 5_000_000_000].map(bytesText)).toEqual([
      '0 bytes',
      '1023 bytes',
      '1.00 KiB',
      '4.66 GiB',
    ]);
  });
});
