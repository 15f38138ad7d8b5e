import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { contentOf } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { repairHistory } from '../../src/sync/restore/repair-history.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { historyPath, historyStems } from '../../src/sync/save/history.ts';
import { save } from '../../src/sync/save/save.ts';
import { toProblem } from '../../src/sync/service/problems.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { NewerFormatError } from '../../src/sync/sync-errors.ts';
import { assertKnownFormat } from '../../src/sync/volume/known-format.ts';
import { openVolume, prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, quiet, sorted, TestClock } from './world.ts';

/** What a newer version of this program has left is refused with both versions, and is as it was afterwards. */

const folders = new Folders();
afterEach(() => folders.clear());

const all = (folder: string) => sorted(dumpFolder(folder));

describe('a volume', () => {
  let root: string;
  const at = (name: string) => join(root, 'state', name);
  const sql = (text: string) => {
    const database = new DatabaseSync(at('sync.sqlite'));
    database.exec(text);
    return database;
  };
  beforeEach(async () => {
    root = folders.make();
    await prepareVolume(root);
    // What a newer version may keep there, and this one would take for damaged or left over.
    mkdirSync(at('journal'));
    writeFileSync(at('journal/1'), 'of the newer one');
    mkdirSync(at('partial/new/deep'), { recursive: true });
    writeFileSync(at('partial/new/deep/1'), 'x');
    mkdirSync(at('scratch'), { recursive: true });
    writeFileSync(at('scratch/kept'), 'y');
  });
  const open = () => openVolume(root, 'project', new MemorySpace(), Date.now());

  async function isLeftAsItIs(what: string): Promise<void> {
    const before = all(root);
    await prepareVolume(root);
    const error = await open().catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(NewerFormatError);
    expect((error as Error).message).toMatch(
      new RegExp(`newer version .*\\(${what} has format \\d+, known here: 1\\)\\. Nothing was changed\\.`),
    );
    expect(toProblem(error as Error, 'project', new Date(0).toISOString()).code).toBe('state-damaged');
    expect(all(root)).toEqual(before);
  }

  test('whose state is of a newer version', async () => {
    sql('PRAGMA user_version = 2; CREATE TABLE x (a)').close();
    await isLeftAsItIs('its state');
  });

  test('whose state is of a newer version by its log alone', async () => {
    sql('PRAGMA journal_mode = WAL; CREATE TABLE x (a); PRAGMA wal_checkpoint(TRUNCATE)').close();
    const living = sql('PRAGMA user_version = 7; INSERT INTO x VALUES (1)');
    const log = readFileSync(at('sync.sqlite-wal'));
    const base = readFileSync(at('sync.sqlite'));
    living.close();
    // As a kill leaves it.
    writeFileSync(at('sync.sqlite'), base);
    writeFileSync(at('sync.sqlite-wal'), log);
    expect(base.readUInt32BE(60)).toBe(0);
    await isLeftAsItIs('its state');
  });

  test.each([
    ['without the id that this version knows', { version: 2, volume: { id: 'of-newer' } }],
    ['with it', { version: 3, volumeId: 'of-newer' }],
  ])('whose mark is of a newer version, %s', async (_what, mark) => {
    writeFileSync(at('volume.json'), JSON.stringify(mark));
    await isLeftAsItIs('volume.json');
  });

  test('is not taken for one by what is no state: a link, a pipe’s name, a short file', async () => {
    for (const name of ['sync.sqlite', 'sync.sqlite-wal']) {
      for (const length of [50, 5000]) {
        writeFileSync(at(name), Buffer.alloc(length, 9));
        await assertKnownFormat(root);
      }
    }
    root = folders.make();
    await prepareVolume(root);
    writeFileSync(join(root, 'elsewhere'), Buffer.alloc(200, 9));
    symlinkSync(join(root, 'elsewhere'), at('sync.sqlite'));
    await assertKnownFormat(root);
  });
});

describe('a space', () => {
  async function saved(times: number) {
    const [place, root, clock] = [folders.make(), folders.make(), new TestClock()];
    const context = await openProject(root, new DirectorySpace(place), { clock });
    await startProject(context);
    for (let number = 0; number < times; number += 1) {
      writeFileSync(join(context.data, `file-${number}`), `content ${number}`);
      clock.advance(60_000);
      await save(context);
    }
    return { place, root, clock, context, hidden: join(place, '.scipion-sync') };
  }

  test.each(['head.json', 'lease.json'])(
    'whose %s is of a newer version gets no lease, and keeps all uploads',
    async (name) => {
      const { place, context, clock, hidden } = await saved(1);
      await context.lease.release();
      context.close();
      for (const left of [
        'staging/another volume/upload',
        'commits/9.jsonl.new',
        'claims/lease-theirs.json',
      ]) {
        mkdirSync(join(hidden, left, '..'), { recursive: true });
        writeFileSync(join(hidden, left), 'of a newer version that was killed');
      }
      // Its checksum is of a kind that is not known here.
      writeFileSync(join(hidden, name), '{"version":2,"generation":9,"sha256":"other"}\n');
      const before = all(place);
      const root = folders.make();
      await prepareVolume(root);
      const session = await ProjectSession.open({
        ...{ root, space: new DirectorySpace(place), clock, instance: 'lab/alice', log: quiet },
        limits: DEFAULT_LIMITS,
        progress: new Progress(clock),
        signal: new AbortController().signal,
      });
      await expect(session.acquireLease(true)).rejects.toThrow(/newer version.*format 2, known here: 1/);
      session.close();
      expect(all(place)).toEqual(before);
    },
  );

  test('with a decided save of a newer version is not told to give it up', async () => {
    const { place, context, clock, hidden } = await saved(1);
    await context.lease.release();
    context.close();
    const record = join(hidden, 'commits', '9.jsonl');
    const text = `${JSON.stringify({ version: 3, saveId: 'x', steps: 1 })}\n`;
    writeFileSync(record, text);
    const other = await openProject(folders.make(), new DirectorySpace(place), { clock });
    const error = await startProject(other).catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(NewerFormatError);
    expect((error as Error).message).toMatch(/format 3, known here: 2.*which finishes it/);
    expect((error as Error).message).not.toContain('move this record away');
    expect(readFileSync(record, 'utf8')).toBe(text);
    other.close();
  });

  test('with a part of its history of a newer version is not repaired by replacing it', async () => {
    const { place, context, clock, hidden } = await saved(3);
    const space = new DirectorySpace(place);
    const stems = [...(await historyStems(space)).values()].sort();
    const path = historyPath(stems[1] ?? '');
    const [header, ...rest] = readFileSync(join(place, path), 'utf8').split('\n');
    const newer = [JSON.stringify({ ...JSON.parse(header ?? ''), version: 2 }), ...rest].join('\n');
    await space.write(path, contentOf(newer));
    const before = all(join(hidden, 'history'));
    const { state } = context;
    const repair = repairHistory({ space, state, scratch: folders.make(), clock, lease: context.lease });
    await expect(repair).rejects.toThrow(/format 2, known here: 1\)\. It was not changed\./);
    expect(all(join(hidden, 'history'))).toEqual(before);
    context.close();
  });
});
