import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { DESKTOP_PATHS } from '../../contract/paths.ts';
import { MAX_ROWS } from '../../src/gateway/project-files.ts';
import { cookie, gateway, get, inProject, list, outside, upload } from './helpers/project-gateway.ts';

describe('links', () => {
  test('are followed inside the project and nowhere else', async () => {
    mkdirSync(inProject('demo/Runs/1/extra'), { recursive: true });
    mkdirSync(outside('source'), { recursive: true });
    writeFileSync(outside('source/raw.mrc'), 'raw');
    writeFileSync(inProject('demo/Runs/1/extra/out.mrc'), 'result');
    const links = {
      // Scipion's own links are absolute, and name the project as the desktop mounts it.
      'demo/absolute.mrc': `${DESKTOP_PATHS.project}/demo/Runs/1/extra/out.mrc`,
      'demo/relative.mrc': 'Runs/1/extra/../extra/out.mrc',
      'demo/folder': `${DESKTOP_PATHS.project}/demo/Runs/1`,
      'demo/again': 'folder/extra',
      'demo/up': '../..',
      'demo/root': '/',
      'demo/passwd': '/etc/passwd',
      'demo/raw': outside('source/raw.mrc'),
      'demo/beside': `${DESKTOP_PATHS.project}-other/x`,
      'demo/out-again': `${DESKTOP_PATHS.project}/../etc/passwd`,
      'demo/circle': 'circle',
      'demo/dangling': 'nothing',
      'demo/self': '/proc/self/fd/3',
    };
    for (const [path, target] of Object.entries(links)) symlinkSync(target, inProject(path));
    for (const path of ['absolute.mrc', 'relative.mrc', 'folder/extra/out.mrc', 'again/out.mrc']) {
      expect(await (await get(`demo/${path}`)).text(), path).toBe('result');
    }
    for (const path of [
      'up/project/data',
      'root/etc/passwd',
      'passwd',
      'raw',
      'beside',
      'out-again',
      'circle',
      'dangling',
      'self',
      'up',
    ]) {
      expect([403, 404], path).toContain((await get(`demo/${path}`)).status);
      expect([403, 404], path).toContain((await list(`demo/${path}`)).status);
      // Nor is anything written through them.
      if (!['dangling', 'circle'].includes(path))
        expect((await upload(`demo/${path}/new`, Buffer.from('x'))).status, path).not.toBe(200);
    }
    expect(await list('demo/again')).toMatchObject({ path: 'demo/Runs/1/extra' });
    const kinds = Object.fromEntries((await list('demo')).rows.map(({ name, kind }) => [name, kind]));
    expect(kinds).toMatchObject({
      folder: 'folder',
      again: 'folder',
      'absolute.mrc': 'file',
      up: 'outside',
      passwd: 'outside',
      circle: 'outside',
      dangling: 'outside',
    });
    expect(readdirSync(outside('source'))).not.toContain('new');
    expect(existsSync('/new')).toBe(false);
  });

  test('that are swapped in while a file is asked for or sent lead nowhere', async () => {
    mkdirSync(outside('target'));
    writeFileSync(outside('target/file'), 'outside');
    mkdirSync(inProject('real'));
    writeFileSync(inProject('real/file'), 'inside');
    symlinkSync(outside('target'), inProject('link'));
    let isRunning = true;
    const swapping = (async () => {
      const move = (from: string, to: string) => {
        // An upload may have made the folder that was not there for a moment.
        for (;;) {
          try {
            renameSync(inProject(from), inProject(to));
            return;
          } catch {
            rmSync(inProject(to), { recursive: true, force: true });
          }
        }
      };
      while (isRunning) {
        move('real', 'other');
        move('link', 'real');
        await new Promise(setImmediate);
        move('real', 'link');
        move('other', 'real');
        await new Promise(setImmediate);
      }
    })();
    const seen = new Set<string>();
    for (let number = 0; number < 150; number += 1) {
      const response = await get('real/file');
      seen.add(response.status === 200 ? await response.text() : String(response.status));
      if (number % 5 === 0) await upload(`real/sent-${number}`, Buffer.from('x'));
    }
    isRunning = false;
    await swapping;
    expect([...seen].filter((text) => text === 'outside')).toEqual([]);
    expect(seen).toContain('inside');
    expect(readdirSync(outside('target'))).toEqual(['file']);
  });
});

describe('a download', () => {
  test('gives the part that is asked for, and begins again when the file is another', async () => {
    const content = randomBytes(1_000_000);
    writeFileSync(inProject('a.mrc'), content);
    const whole = await get('a.mrc');
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    expect(whole.headers.get('content-security-policy')).toContain('sandbox');
    expect(Buffer.from(await whole.arrayBuffer())).toEqual(content);
    const etag = whole.headers.get('etag') ?? '';
    const rest = await get('a.mrc', { range: 'bytes=400000-', 'if-range': etag });
    expect(rest.status).toBe(206);
    expect(rest.headers.get('content-range')).toBe('bytes 400000-999999/1000000');
    expect(Buffer.from(await rest.arrayBuffer())).toEqual(content.subarray(400_000));
    const last = await get('a.mrc', { range: 'bytes=-10' });
    expect(Buffer.from(await last.arrayBuffer())).toEqual(content.subarray(-10));
    expect((await get('a.mrc', { range: 'bytes=1000000-' })).status).toBe(416);
    expect((await get('a.mrc', { range: 'lines=1-2' })).status).toBe(200);
    utimesSync(inProject('a.mrc'), 1, 1);
    expect((await get('a.mrc', { range: 'bytes=400000-', 'if-range': etag })).status).toBe(200);
    writeFileSync(inProject('nothing'), '');
    expect(await (await get('nothing')).text()).toBe('');
  });

  const SIZE = 40_000_000;

  /** Begins a download that cannot end before the file was changed: nothing is read before. Resolves with its length. */
  async function whileRead(change: (path: string) => void): Promise<number | Error> {
    const path = inProject('grows.log');
    writeFileSync(path, '');
    truncateSync(path, SIZE);
    const [answer] = (await once(
      httpGet(`${gateway.origin}/files/content?path=grows.log`, { headers: { cookie } }),
      'response',
    )) as [IncomingMessage];
    await new Promise((resolve) => setTimeout(resolve, 200));
    change(path);
    let length = 0;
    try {
      for await (const chunk of answer) length += (chunk as Buffer).length;
      return length;
    } catch (error) {
      return error as Error;
    }
  }

  test('of a file that grows is what it was at the start', async () => {
    expect(await whileRead((path) => appendFileSync(path, 'bbb'))).toBe(SIZE);
  });

  test.each([
    ['gets shorter', (path: string) => truncateSync(path, SIZE - 1000)],
    [
      'is changed in place',
      (path: string) => {
        const file = openSync(path, 'r+');
        writeSync(file, 'b', 0);
        closeSync(file);
      },
    ],
    ['is written over and longer', (path: string) => writeFileSync(path, 'b'.repeat(SIZE + 4096))],
    [
      'is written over in place and longer',
      (path: string) => {
        const file = openSync(path, 'r+');
        writeSync(file, 'b'.repeat(SIZE + 4096), 0);
        closeSync(file);
      },
    ],
  ])('of a file that %s breaks off', async (_name, change) => {
    expect(await whileRead(change)).toBeInstanceOf(Error);
  });

  test('of what is no file is refused, and a folder without end is cut', async () => {
    mkdirSync(inProject('folder'));
    expect((await get('folder')).status).toBe(404);
    expect((await get('none')).status).toBe(404);
    for (let number = 0; number < MAX_ROWS + 5; number += 1) writeFileSync(inProject(`folder/${number}`), '');
    expect((await list('folder')).rows).toHaveLength(MAX_ROWS);
    rmSync(inProject('folder'), { recursive: true });
    expect((await list('folder')).status).toBe(404);
  });
});
