import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import {
  type Content,
  contentOf,
  type Locator,
  readAll,
  type Space,
  SpaceError,
} from '../../src/spaces/space.ts';
import { FileChangedError } from '../../src/sync/file-errors.ts';
import { noGate } from '../../src/sync/restore/fetch-parts.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { type SaveResult, save } from '../../src/sync/save/save.ts';
import { uploadParts } from '../../src/sync/save/upload-parts.ts';
import { openStable } from '../../src/sync/volume/file-copy.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders, openProject, TestClock } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const MIB = 1 << 20;
function large(seed: number): Buffer {
  const bytes = Buffer.alloc(11 * MIB + 17);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = (at * 31 + (at >> 12) + seed) & 0xff;
  return bytes;
}
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

type WritePart = (file: Locator, offset: number, content: Content) => Promise<void>;

/** A space that notes the parts that come, each through `change`. */
function watched(inner: Space, change?: (write: WritePart) => WritePart) {
  const sent: number[] = [];
  const plain: WritePart = async (file, offset, content) => {
    await inner.writePart?.(file, offset, content);
    sent.push(offset);
  };
  const writePart = change?.(plain) ?? plain;
  const space = new Proxy(inner, {
    get(target, key) {
      if (key === 'writePart') return writePart;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { space, sent };
}

const OFFSETS = [0, 4 * MIB, 8 * MIB];

/** What a save has left out, with the reason. */
const namesOf = ({ fileProblems }: SaveResult) =>
  Object.fromEntries(fileProblems.items.map(({ path, code }) => [path, code]));

describe('saving a large file', () => {
  test('sends its parts side by side', async () => {
    const inner = new MemorySpace();
    let [open, most] = [0, 0];
    const { space, sent } = watched(inner, (write) => async (...part) => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((done) => setTimeout(done, 10));
      await write(...part);
      open -= 1;
    });
    const context = await openProject(folders.make(), space);
    await startProject(context);
    writeFileSync(join(context.data, 'big.mrc'), large(1));
    await save(context);
    expect(sent.sort((a, b) => a - b)).toEqual(OFFSETS);
    expect(most).toBe(3);
    expect((await readAll(inner, { path: 'big.mrc' }, 1 << 24)).equals(large(1))).toBe(true);
    expect(context.state.base.get('big.mrc')?.hash).toBe(hashOf(large(1)));
    expect(context.state.meta('unfinished-uploads')).toBeNull();
    context.close();
  });

  test('that broke off sends only what is missing, after a restart too', async () => {
    const inner = new MemorySpace();
    const clock = new TestClock();
    const root = folders.make();
    let isCut = true;
    const { space, sent } = watched(inner, (write) => async (file, offset, content) => {
      if (isCut && offset === 4 * MIB) {
        await new Promise((done) => setTimeout(done, 200));
        throw new SpaceError('unreachable', 'the line is cut');
      }
      await write(file, offset, content);
    });
    const context = await openProject(root, space, { clock });
    await startProject(context);
    writeFileSync(join(context.data, 'big.mrc'), large(2));
    writeFileSync(join(context.data, 'other'), 'is saved beside it');
    expect(namesOf(await save(context))).toEqual({ 'big.mrc': 'space-fault' });
    expect(sent.sort((a, b) => a - b)).toEqual([0, 8 * MIB]);
    await context.lease.release();
    context.close();
    isCut = false;
    sent.length = 0;
    const again = await openProject(root, space, { clock });
    await startProject(again);
    await save(again);
    expect(sent).toEqual([4 * MIB]);
    expect((await readAll(inner, { path: 'big.mrc' }, 1 << 24)).equals(large(2))).toBe(true);
    expect(again.state.base.get('big.mrc')?.hash).toBe(hashOf(large(2)));
    again.close();
  });

  test('that changes while it is sent, or before the next try, never arrives mixed', async () => {
    for (const when of ['while', 'between']) {
      const inner = new MemorySpace();
      const root = folders.make();
      let due = true;
      const data = () => join(root, 'data/big.mrc');
      const { space } = watched(inner, (write) => async (file, offset, content) => {
        if (due && offset === 4 * MIB) {
          due = false;
          if (when === 'between') throw new SpaceError('unreachable', 'the line is cut');
          await write(file, offset, content);
          writeFileSync(data(), large(4));
          return;
        }
        await write(file, offset, content);
      });
      const context = await openProject(root, space);
      await startProject(context);
      writeFileSync(data(), large(3));
      const first = save(context);
      if (when === 'between') {
        expect(namesOf(await first)).toEqual({ 'big.mrc': 'space-fault' });
        writeFileSync(data(), large(4));
        await save(context);
      } else await first;
      expect((await readAll(inner, { path: 'big.mrc' }, 1 << 24)).equals(large(4)), when).toBe(true);
      context.close();
    }
  });

  test('of which a part was another one when it was sent is sent anew, although its times say nothing', async () => {
    const inner = new MemorySpace();
    const context = await openProject(folders.make(), inner);
    const path = join(context.data, 'big.mrc');
    const now = large(5);
    writeFileSync(path, now);
    const before = Buffer.from(now);
    before.fill(0xee, 100, 200);
    writeFileSync(join(context.data, 'before.mrc'), before);
    const file = await openStable(context.tree, 'big.mrc', context);
    const asBefore = await openStable(context.tree, 'before.mrc', context);
    const mapped = {
      ...file,
      part: (start: number, length: number) => (start === 0 ? asBefore : file).part(start, length),
    };
    let number = 0;
    await inner.makeDirectory('staging');
    const stage = () => `staging/${++number}`;
    const sending = { ...context, largeTurn: { until: Number.POSITIVE_INFINITY, hasSent: false } };
    await expect(uploadParts(sending, mapped, noGate, stage)).rejects.toThrow(FileChangedError);
    const sent = await uploadParts(sending, file, noGate, stage);
    expect(sent.staged).toBe('staging/2');
    expect(sent.hash).toBe(hashOf(now));
    expect((await readAll(inner, { path: sent.staged }, 1 << 24)).equals(now)).toBe(true);
    await file.close();
    await asBefore.close();
    context.close();
  });

  test('goes on with nothing that somebody else has put in the place of its upload', async () => {
    const inner = new MemorySpace();
    const root = folders.make();
    let isCut = true;
    const { space, sent } = watched(inner, (write) => async (file, offset, content) => {
      if (isCut && offset === 8 * MIB) throw new SpaceError('unreachable', 'the line is cut');
      await write(file, offset, content);
    });
    const context = await openProject(root, space);
    await startProject(context);
    writeFileSync(join(context.data, 'big.mrc'), large(6));
    expect(namesOf(await save(context))).toEqual({ 'big.mrc': 'space-fault' });
    const [unfinished] = Object.values(
      JSON.parse(context.state.meta('unfinished-uploads') ?? '{}') as Record<string, { staged: string }>,
    );
    const staged = unfinished?.staged ?? '';
    await inner.removeFile(staged);
    await inner.write(staged, contentOf(Buffer.alloc(11 * MIB)));
    isCut = false;
    sent.length = 0;
    await save(context);
    expect(sent.sort((a, b) => a - b)).toEqual(OFFSETS);
    expect((await readAll(inner, { path: 'big.mrc' }, 1 << 24)).equals(large(6))).toBe(true);
    context.close();
  });
});

describe('over REST', () => {
  let given: GivenEmulator;
  beforeAll(async () => {
    given = await givenEmulator();
  });
  afterAll(() => given.dispose());

  test('parts arrive in any order, also where some break off or are refused', async () => {
    const space = withRetry(given.open(await given.addSpace()), { firstWaitMs: 1, maxWaitMs: 5, retries: 5 });
    const { faults } = given.emulator.context;
    const path = 'offset=';
    const busy = { status: 400, id: 'posix', details: { errno: 'ebusy' } };
    faults.add({ path, times: 1, action: { kind: 'error', ...busy } });
    faults.add({ path, times: 2, skip: 1, action: { kind: 'cut-upload', afterBytes: 1_000_000 } });
    const context = await openProject(folders.make(), space);
    await startProject(context);
    writeFileSync(join(context.data, 'big.mrc'), large(7));
    await save(context);
    expect(faults.log.filter(({ path: each }) => each.includes('offset='))).toHaveLength(3);
    faults.clear();
    expect((await readAll(space, { path: 'big.mrc' }, 1 << 24)).equals(large(7))).toBe(true);
    context.close();
    await space.close();
  });
});
