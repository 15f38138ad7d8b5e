import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  contentOf,
  isSpaceError,
  type Locator,
  readAll,
  type Space,
  type SpaceEntry,
  type SpaceErrorCode,
} from '../../src/spaces/space.ts';

export interface SpaceUnderTest {
  readonly space: Space;
  /** Cleans up; the suite closes the space first. */
  dispose?(): Promise<void>;
}

/** What every implementation of `Space` promises. `makeSpace` gives a new empty space each time. */
export function spaceContract(name: string, makeSpace: () => Promise<SpaceUnderTest>): void {
  describe(`space contract: ${name}`, () => {
    let under: SpaceUnderTest;
    let space: Space;
    beforeEach(async () => {
      under = await makeSpace();
      space = under.space;
    });
    afterEach(async () => {
      await space.close();
      await under.dispose?.();
    });

    const put = (path: string, text: string) => space.write(path, contentOf(text));
    const text = async (file: Locator) => (await readAll(space, file, 1 << 24)).toString();
    const names = async (path = '') => (await collect(space.list({ path }))).map((each) => each.name).sort();
    const fails = async (action: Promise<unknown>, ...codes: SpaceErrorCode[]) => {
      const error = await action.then(() => 'no error').catch((caught: unknown) => caught);
      const said = `expected ${codes.join(' or ')}, got ${String(error)}`;
      expect(isSpaceError(error, ...codes), said).toBe(true);
    };

    describe('reading', () => {
      test('check passes, the root is an empty directory', async () => {
        await space.check();
        expect(await space.stat({ path: '' })).toMatchObject({ path: '', name: '', kind: 'directory' });
        expect(await names()).toEqual([]);
      });

      test('a file has its bytes, size, name, a time in whole seconds and an id', async () => {
        const before = Math.floor(Date.now() / 1000) - 5;
        const made = await put('a.txt', 'hello');
        expect(made).toMatchObject({ path: 'a.txt', name: 'a.txt', kind: 'file', size: 5 });
        expect(made.id).not.toBe('');
        const found = await space.stat({ path: 'a.txt' });
        expect(found).toEqual(made);
        const time = found?.mtimeSeconds;
        if (time !== null) {
          expect(Number.isInteger(time)).toBe(true);
          expect(time).toBeGreaterThanOrEqual(before);
        }
        expect(await text({ path: 'a.txt' })).toBe('hello');
        expect(await text(made)).toBe('hello');
        expect(await space.stat({ path: 'a.txt', id: made.id })).toMatchObject({ id: made.id, size: 5 });
      });

      test('an unconfirmed write has written all the same, and says no wrong time', async () => {
        for (const [path, text] of [
          ['small', 'x'],
          ['large', 'x'.repeat(2_000_000)],
          ['small', 'other'],
        ] as const) {
          const made = await space.write(path, contentOf(text), { unconfirmed: true });
          const found = await space.stat({ path });
          expect(made).toMatchObject({ path, kind: 'file', size: text.length });
          expect(found).toMatchObject({ path, kind: 'file', size: text.length });
          if (space.capabilities.idsSurviveMove) expect(found?.id).toBe(made.id);
          expect([null, found?.mtimeSeconds]).toContain(made.mtimeSeconds);
        }
      });

      test('an empty file is a file of no bytes', async () => {
        expect(await put('empty', '')).toMatchObject({ kind: 'file', size: 0 });
        expect(await text({ path: 'empty' })).toBe('');
        expect((await collect(space.read({ path: 'empty' }, { offset: 0, length: 10 }))).length).toBe(0);
      });

      test('ranges give exactly their bytes, clipped at the end', async () => {
        await put('digits', '0123456789');
        const range = async (offset: number, length?: number) =>
          Buffer.concat(
            await collect(
              space.read({ path: 'digits' }, length === undefined ? { offset } : { offset, length }),
            ),
          ).toString();
        expect(await range(2, 3)).toBe('234');
        expect(await range(7)).toBe('789');
        expect(await range(8, 100)).toBe('89');
        expect(await range(10)).toBe('');
        expect(await range(3, 0)).toBe('');
        await fails(collect(space.read({ path: 'digits' }, { offset: 11 })), 'bad-range');
      });

      test('absence is null for stat and not-found for everything else', async () => {
        await put('file', 'x');
        expect(await space.stat({ path: 'nothing' })).toBeNull();
        expect(await space.stat({ path: 'nothing/below' })).toBeNull();
        expect(await space.stat({ path: 'file/below' })).toBeNull();
        await fails(collect(space.read({ path: 'nothing' })), 'not-found');
        await fails(collect(space.list({ path: 'nothing' })), 'not-found');
        await fails(collect(space.list({ path: 'file' })), 'not-a-directory');
        await space.makeDirectory('dir');
        await fails(collect(space.read({ path: 'dir' })), 'is-a-directory');
      });

      test('a listing shows each child once, and only children', async () => {
        const expected: string[] = [];
        for (let index = 0; index < 25; index += 1) {
          const name = `file-${index}`;
          expected.push(name);
          await put(name, String(index));
        }
        await space.makeDirectory('sub/deeper');
        await put('sub/inner', 'x');
        expect(await names()).toEqual([...expected, 'sub'].sort());
        expect(await names('sub')).toEqual(['deeper', 'inner']);
        const inner = (await collect(space.list({ path: 'sub' }))).find((each) => each.name === 'inner');
        expect(inner).toEqual(await space.stat({ path: 'sub/inner' }));
        expect(inner?.path).toBe('sub/inner');
      });

      test('a reader may leave early, an aborted signal ends a read', async () => {
        await put('big', 'x'.repeat(300_000));
        for await (const chunk of space.read({ path: 'big' })) {
          expect(chunk.byteLength).toBeGreaterThan(0);
          break;
        }
        const aborted = AbortSignal.abort(new Error('enough'));
        await expect(collect(space.read({ path: 'big' }, { signal: aborted }))).rejects.toThrow();
        expect((await readAll(space, { path: 'big' }, 1 << 20)).length).toBe(300_000);
      });
    });

    describe('writing', () => {
      test('overwriting replaces everything, also with fewer bytes', async () => {
        await put('a', 'a longer text');
        expect(await put('a', 'short')).toMatchObject({ size: 5 });
        expect(await text({ path: 'a' })).toBe('short');
        expect(await put('a', '')).toMatchObject({ size: 0 });
      });

      test('any byte and many chunks arrive', async () => {
        const bytes = Buffer.alloc(700_001);
        for (let index = 0; index < bytes.length; index += 1) bytes[index] = (index * 31) & 0xff;
        await space.write('bytes', {
          size: bytes.length,
          async *open() {
            for (let at = 0; at < bytes.length; at += 65_000) yield bytes.subarray(at, at + 65_000);
          },
        });
        expect((await readAll(space, { path: 'bytes' }, 1 << 20)).equals(bytes)).toBe(true);
      });

      test('parts of a file are written in any order, at one time, without touching the rest', async () => {
        if (space.writePart === undefined) return;
        const made = await put('parts', '');
        const part = (offset: number, bytes: string) =>
          space.writePart?.({ path: 'parts', id: made.id }, offset, contentOf(bytes));
        await Promise.all([part(8, 'cccc'), part(0, 'aaaa'), part(4, 'bbbb')]);
        expect(await text({ path: 'parts' })).toBe('aaaabbbbcccc');
        await part(2, '--');
        expect(await text({ path: 'parts' })).toBe('aa--bbbbcccc');
        await part(14, 'end');
        expect(await text({ path: 'parts' })).toBe('aa--bbbbcccc\0\0end');
        expect(await space.stat({ path: 'parts' })).toMatchObject({ id: made.id, size: 17 });
        await space.makeDirectory('dir');
        const nothing = Promise.resolve(space.writePart({ path: 'nothing' }, 0, contentOf('x')));
        await fails(nothing, 'not-found');
        await fails(Promise.resolve(space.writePart({ path: 'dir' }, 0, contentOf('x'))), 'is-a-directory');
      });

      test('a file is copied in the space, where it can be, and is a file of its own', async () => {
        const made = await put('from', 'some content');
        // Nobody repeats a copy that failed, so its caller asks for one at another place.
        let [to, copied]: [string, unknown] = ['', null];
        for (let attempt = 0; attempt < 10 && copied !== undefined; attempt += 1) {
          to = `to${attempt}`;
          copied = await space.copy?.({ path: 'from', id: made.id }, to).catch((error: unknown) => error);
          if (space.copy === undefined || isSpaceError(copied, 'unsupported')) return;
        }
        expect(copied).toBeUndefined();
        expect((await space.stat({ path: to }))?.id).not.toBe(made.id);
        await put('from', 'other');
        expect(await text({ path: to })).toBe('some content');
        await fails(Promise.resolve(space.copy?.({ path: 'nothing' }, 'x')), 'not-found');
      });

      test('content of another size than announced is an error, and can be repeated', async () => {
        const short = {
          size: 10,
          async *open() {
            yield Buffer.from('12345');
          },
        };
        const long = {
          size: 3,
          async *open() {
            yield Buffer.from('12345');
          },
        };
        await fails(space.write('a', short), 'transfer-broken');
        await fails(space.write('a', long), 'transfer-broken');
        expect(await put('a', 'fine')).toMatchObject({ size: 4 });
        expect(await text({ path: 'a' })).toBe('fine');
      });

      test('needs a parent directory, and refuses a directory as the name', async () => {
        await fails(put('no/file', 'x'), 'not-found');
        await put('file', 'x');
        await fails(put('file/below', 'x'), 'not-a-directory', 'not-found');
        await space.makeDirectory('dir');
        await fails(put('dir', 'x'), 'is-a-directory');
        expect(await names('dir')).toEqual([]);
      });

      test('directories come with their parents and may exist', async () => {
        const made = await space.makeDirectory('a/b/c');
        expect(made).toMatchObject({ path: 'a/b/c', kind: 'directory', size: 0 });
        const again = await space.makeDirectory('a/b/c');
        expect(again.id).toBe(made.id);
        // Whoever takes a directory for new puts files into it without looking.
        for (const known of ['a', 'a/b', 'a/b/c'])
          expect((await space.makeDirectory(known)).isNew).not.toBe(true);
        await put('a/b/c/file', 'x');
        expect((await space.makeDirectory('a/b/c')).isNew).not.toBe(true);
        await space.removeFile('a/b/c/file');
        expect(await names('a/b')).toEqual(['c']);
        await put('a/file', 'x');
        await fails(space.makeDirectory('a/file'), 'exists', 'not-a-directory');
        await fails(space.makeDirectory('a/file/d'), 'exists', 'not-a-directory');
        expect(await space.makeDirectory('')).toMatchObject({ path: '', kind: 'directory' });
      });

      test('odd names are names', async () => {
        const odd = [
          'with space',
          'new\nline',
          'tab\tquote"\\',
          'ünïcödé',
          '電子',
          '🔬',
          'e\u0301',
          'é',
          "a'b",
          '%41',
          '#hash',
          '?query',
          'a&b=c',
          '..hidden',
          '-dash',
          '~',
          'x'.repeat(255),
          'ü'.repeat(127),
          'name@provider',
        ];
        await space.makeDirectory('odd');
        for (const name of odd) await put(`odd/${name}`, name);
        expect(await names('odd')).toEqual([...odd].sort());
        for (const name of odd) expect(await text({ path: `odd/${name}` })).toBe(name);
        await space.move({ path: 'odd/new\nline', kind: 'file' }, 'odd/an other\nline?');
        expect(await text({ path: 'odd/an other\nline?' })).toBe('new\nline');
      });

      test('a name that the space cannot hold is refused', async () => {
        const { reservedNamePrefixes, reservedNameParts, maxNameBytes } = space.capabilities;
        const refused = [
          'x'.repeat(maxNameBytes + 1),
          ...reservedNamePrefixes.map((each) => `${each}x`),
          ...reservedNameParts.map((each) => `x${each}x`),
        ];
        for (const name of refused) await fails(put(name, 'x'), 'invalid-name');
        expect(await names()).toEqual([]);
      });
    });

    describe('symbolic links', () => {
      test('hold their text, whatever it is, and are not followed', async () => {
        if (!space.capabilities.symlinks) {
          await fails(space.makeSymlink('link', 'x'), 'unsupported');
          return;
        }
        await put('file', 'content');
        for (const [index, target] of ['file', '/mnt/vol-dataset/a b', '../nowhere', 'ünï/cödé'].entries()) {
          const made = await space.makeSymlink(`link${index}`, target);
          expect(made).toMatchObject({ kind: 'symlink', size: 0 });
          expect(await space.readSymlink({ path: `link${index}` })).toBe(target);
        }
        expect(await space.stat({ path: 'link0' })).toMatchObject({ kind: 'symlink' });
        expect(await collect(space.list({ path: '' }))).toHaveLength(5);
        await fails(space.makeSymlink('link0', 'file'), 'exists');
        await fails(space.readSymlink({ path: 'file' }), 'bad-request');
        await fails(space.readSymlink({ path: 'nothing' }), 'not-found');
        await space.removeFile('link0');
        expect(await space.stat({ path: 'link0' })).toBeNull();
        expect(await text({ path: 'file' })).toBe('content');
      });
    });

    describe('moving', () => {
      test('a file moves, replaces a file, keeps bytes and time', async () => {
        await space.makeDirectory('to');
        const made = await put('from', 'new');
        await put('to/there', 'old');
        await space.move({ path: 'from', kind: 'file' }, 'to/there');
        expect(await names()).toEqual(['to']);
        expect(await text({ path: 'to/there' })).toBe('new');
        const moved = await space.stat({ path: 'to/there' });
        expect(moved?.mtimeSeconds).toBe(made.mtimeSeconds);
        if (space.capabilities.idsSurviveMove) {
          expect(moved?.id).toBe(made.id);
          expect(await space.stat({ path: 'from', id: made.id })).toMatchObject({ id: made.id, size: 3 });
          expect(await text({ path: 'from', id: made.id })).toBe('new');
        }
        if (space.capabilities.movesById === true) {
          await put('from', 'another one');
          await space.move({ path: 'from', id: made.id, kind: 'file' }, 'to/there');
          await space.move({ path: 'from', id: made.id, kind: 'file' }, 'to/again');
          expect(await names()).toEqual(['from', 'to']);
          expect(await text({ path: 'from' })).toBe('another one');
          expect(await text({ path: 'to/again' })).toBe('new');
        }
      });

      test('a directory moves with all below it, onto nothing only', async () => {
        await space.makeDirectory('a/b');
        await put('a/b/file', 'x');
        await space.makeDirectory('other');
        await space.move({ path: 'a', kind: 'directory' }, 'other/renamed');
        expect(await text({ path: 'other/renamed/b/file' })).toBe('x');
        expect(await space.stat({ path: 'a' })).toBeNull();
        await space.makeDirectory('again');
        await fails(space.move({ path: 'again', kind: 'directory' }, 'other/renamed'), 'exists');
        await fails(space.move({ path: 'other', kind: 'directory' }, 'other/renamed/in'), 'bad-request');
        expect(await text({ path: 'other/renamed/b/file' })).toBe('x');
      });

      test('what is not there, or would bury something, does not move', async () => {
        await put('file', 'x');
        await space.makeDirectory('dir');
        await put('dir/inner', 'y');
        await fails(space.move({ path: 'nothing', kind: 'file' }, 'a'), 'not-found');
        await fails(space.move({ path: 'file', kind: 'file' }, 'no/where'), 'not-found');
        await fails(space.move({ path: 'file', kind: 'file' }, 'dir'), 'is-a-directory');
        await fails(space.move({ path: 'dir', kind: 'directory' }, 'file'), 'exists', 'not-a-directory');
        expect(await text({ path: 'file' })).toBe('x');
        expect(await text({ path: 'dir/inner' })).toBe('y');
      });
    });

    describe('removing', () => {
      test('files: absent is fine, a directory is refused and stays', async () => {
        await put('file', 'x');
        await space.removeFile('file');
        await space.removeFile('file');
        expect(await names()).toEqual([]);
        await space.makeDirectory('dir');
        await put('dir/inner', 'y');
        await fails(space.removeFile('dir'), 'is-a-directory');
        expect(await text({ path: 'dir/inner' })).toBe('y');
      });

      test('an empty directory goes, a full one stays', async () => {
        await space.makeDirectory('dir/sub');
        await fails(space.removeEmptyDirectory('dir'), 'not-empty');
        await space.removeEmptyDirectory('dir/sub');
        await space.removeEmptyDirectory('dir');
        await space.removeEmptyDirectory('dir');
        expect(await names()).toEqual([]);
        await put('file', 'x');
        await fails(space.removeEmptyDirectory('file'), 'not-a-directory');
        expect(await names()).toEqual(['file']);
      });

      test('a tree goes as a whole, the root never', async () => {
        await space.makeDirectory('tree/a/b');
        await put('tree/a/b/file', 'x');
        await put('treebeard', 'stays');
        await space.removeTree('tree');
        await space.removeTree('tree');
        expect(await names()).toEqual(['treebeard']);
        await fails(space.removeTree(''), 'bad-request');
        expect(await names()).toEqual(['treebeard']);
      });
    });
  });
}

async function collect<T extends SpaceEntry | Uint8Array>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}
