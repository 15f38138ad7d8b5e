import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DESKTOP_PATHS } from '../../contract/paths.ts';
import { MAX_ROWS } from '../../src/gateway/project-files.ts';
import { Uploads } from '../../src/gateway/uploads.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { MemorySpace } from '../../src/sync/spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG } from '../sync/given-container.ts';
import { eventually, SAME_ORIGIN, sessionCookie, view } from './helpers/client.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

/** The real gateway with the real `sync` behind it. */
const containers = new Containers();
let gateway: RunningGateway;
let cookie: string;

beforeEach(async () => {
  gateway = await startGateway();
  const paths = await containerPaths(gateway.directory);
  const [source, project] = [new MemorySpace({}), new MemorySpace({})];
  const spaces = { source: () => source, project: () => project };
  await containers.start({ config: QUIET_CONFIG, paths, spaces, desktopWaitMs: 100, tokenWaitMs: 0 });
  cookie = await sessionCookie(gateway);
  await eventually(
    () => view(gateway, cookie),
    ({ status }) => status?.ready === true,
  );
});
afterEach(async () => {
  await containers.stopAll();
  await gateway.stop();
});

const inProject = (path: string) => join(gateway.projectDirectory, path);
const outside = (path: string) => join(gateway.directory, path);

interface Answer {
  readonly status: number;
  readonly json: { id?: string; offset?: number; path?: string; code?: string };
}

async function send(method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
  const isBytes = Buffer.isBuffer(body);
  const response = await fetch(gateway.origin + path, {
    method,
    headers: {
      cookie,
      ...SAME_ORIGIN,
      ...(body === undefined
        ? {}
        : { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isBytes ? new Uint8Array(body) : JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json().catch(() => ({}))) as Answer['json'] };
}

const MODIFIED = Date.parse('2025-02-03T04:05:06Z');
const begin = (path: string, size: number) => send('POST', '/uploads', { path, size, modified: MODIFIED });
const part = (id: string | undefined, offset: number, bytes: Buffer) =>
  send('PUT', `/uploads/${id}?offset=${offset}`, bytes);

async function upload(path: string, content: Buffer): Promise<Answer> {
  const begun = await begin(path, content.length);
  if (begun.status !== 200) return begun;
  return part(begun.json.id, 0, content);
}

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.origin}/files/content?path=${encodeURIComponent(path)}`, {
    headers: { cookie, ...headers },
  });

async function list(
  path: string,
): Promise<{ status: number; rows: { name: string; kind: string }[]; path: string }> {
  const response = await fetch(`${gateway.origin}/files?path=${encodeURIComponent(path)}`, {
    headers: { cookie },
  });
  const { rows = [], path: truePath } = (await response.json()) as { rows?: []; path: string };
  return { status: response.status, rows, path: truePath };
}

describe('an upload', () => {
  test('goes on where it broke off, and has its name only when it is complete', async () => {
    const content = randomBytes(3_000_000);
    const { json } = await begin('demo/Uploads/movie.mrc', content.length);
    expect((await part(json.id, 0, content.subarray(0, 1_000_000))).json).toEqual({ offset: 1_000_000 });
    expect((await list('')).rows).toEqual([]);
    // The line breaks in the middle of a part: what came of it stays.
    const { port } = new URL(gateway.origin);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), 'localhost', () => {
        socket.write(
          `PUT /uploads/${json.id}?offset=1000000 HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\n` +
            'sec-fetch-site: same-origin\r\norigin: null\r\n' +
            'content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n',
        );
        socket.write(content.subarray(1_000_000, 1_500_000));
        setTimeout(() => socket.destroy(), 300);
      });
      socket.on('close', () => resolve());
    });
    // Another window, which knows nothing of the first.
    const again = await eventually(
      () => begin('demo/Uploads/movie.mrc', content.length),
      (answer) => (answer.json.offset ?? 0) > 1_000_000,
    );
    expect(again.json).toEqual({ id: json.id, offset: 1_500_000 });
    await eventually(
      () => part(json.id, 0, content.subarray(0, 10)),
      (answer) => answer.json.code === 'file-offset',
    );
    const last = await eventually(
      () => part(json.id, 1_500_000, content.subarray(1_500_000)),
      ({ status }) => status !== 409,
    );
    expect(last.json).toEqual({ offset: content.length, path: 'demo/Uploads/movie.mrc' });
    expect(readFileSync(inProject('demo/Uploads/movie.mrc'))).toEqual(content);
    expect(statSync(inProject('demo/Uploads/movie.mrc')).mtimeMs).toBe(MODIFIED);
    expect(readdirSync(gateway.uploadsDirectory)).toEqual([]);
    await eventually(
      () => view(gateway, cookie),
      ({ status }) => status?.save.unsavedChanges === true,
    );
  });

  test('never replaces what is there', async () => {
    writeFileSync(inProject('notes.txt'), 'of the user');
    expect((await upload('notes.txt', Buffer.from('second'))).json.path).toBe('notes (2).txt');
    expect((await upload('notes.txt', Buffer.from('third'))).json.path).toBe('notes (3).txt');
    expect(readFileSync(inProject('notes.txt'), 'utf8')).toBe('of the user');
    expect((await upload('empty', Buffer.alloc(0))).json.path).toBe('empty');
    expect((await upload('empty', Buffer.alloc(0))).json.path).toBe('empty (2)');
  });

  test('is bounded in number, size and by what was said', async () => {
    const ids: string[] = [];
    for (let number = 0; number < 8; number += 1) ids.push((await begin(`file-${number}`, 10)).json.id ?? '');
    expect(await begin('one more', 10)).toMatchObject({ status: 429, json: { code: 'file-many' } });
    expect(await part(ids[0], 0, Buffer.alloc(11))).toMatchObject({
      status: 413,
      json: { code: 'file-size' },
    });
    expect((await send('DELETE', `/uploads/${ids[0]}`)).status).toBe(204);
    expect(await begin('much', 2 ** 50)).toMatchObject({ status: 507, json: { code: 'file-room' } });
    expect((await begin('one more', 10)).status).toBe(200);
    expect((await part('f'.repeat(32), 0, Buffer.alloc(1))).status).toBe(404);
    for (const id of ['../data/x', 'x', '%2e%2e%2fdata'])
      expect((await part(id, 0, Buffer.alloc(1))).status).not.toBe(200);
    for (const size of [-1, 1.5, '1', null]) {
      expect((await send('POST', '/uploads', { path: 'x', size, modified: 0 })).status).toBe(400);
    }
  });

  test('is refused without a session, from another site, and while the project is closed', async () => {
    const other = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (const [method, path] of [
      ['POST', '/uploads'],
      ['PUT', `/uploads/${'0'.repeat(32)}?offset=0`],
      ['DELETE', `/uploads/${'0'.repeat(32)}`],
    ] as const) {
      expect((await send(method, path, method === 'DELETE' ? undefined : {}, other)).status).toBe(403);
      expect((await send(method, path, method === 'DELETE' ? undefined : {}, { cookie: '' })).status).toBe(
        401,
      );
    }
    expect((await fetch(`${gateway.origin}/files?path=`)).status).toBe(401);
    expect((await fetch(`${gateway.origin}/files/content?path=x`)).status).toBe(401);
    const { json } = await begin('late.txt', 4);
    await ask(join(gateway.directory, 'sync.sock'), 'POST', '/v1/drain');
    expect((await part(json.id, 0, Buffer.from('late'))).status).not.toBe(200);
    await eventually(
      () => begin('later.txt', 4),
      (answer) => answer.status === 409 && answer.json.code === 'file-not-open',
    );
    expect(existsSync(inProject('late.txt'))).toBe(false);
  });
});

/** A file system of its own; false where this user may not mount one. */
function mountSmall(folder: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0;
}

test('an upload on a volume that gets full waits for room and goes on', async ({ skip }) => {
  const folder = outside('small');
  mkdirSync(folder);
  if (!mountSmall(folder)) return skip('needs the right to mount a tmpfs');
  const uploads = new Uploads(folder, async (_id, path) => path);
  try {
    const content = randomBytes(3_000_000);
    const request = { path: 'a', size: content.length, modified: 0 };
    const { id } = await uploads.begin(request);
    writeFileSync(join(folder, 'work'), Buffer.alloc(2_500_000));
    await expect(uploads.append(id, 0, [content])).rejects.toMatchObject({ status: 507, code: 'file-room' });
    rmSync(join(folder, 'work'));
    const { offset } = await uploads.begin(request);
    expect(offset).toBeGreaterThan(1_000_000);
    expect(await uploads.append(id, offset, [content.subarray(offset)])).toMatchObject({ path: 'a' });
    expect(readFileSync(join(folder, id))).toEqual(content);
    await expect(uploads.begin({ ...request, path: 'b' })).rejects.toMatchObject({ code: 'file-room' });
  } finally {
    uploads.close();
    spawnSync('umount', ['-l', folder]);
  }
});

/** Names that are either refused or stored as they are, in the project and nowhere else. */
const HOSTILE = [
  ...[
    '',
    '.',
    '..',
    '../x',
    '../../x',
    'a/../../x',
    './x',
    'a/./x',
    'a//x',
    '/x',
    '/etc/passwd',
    'x/',
    '//',
    ' ',
    '\t',
  ],
  ...[
    '..\\x',
    'C:\\x',
    '\\\\server\\x',
    'a\\..\\x',
    '%2e%2e%2fx',
    '%2e%2e/x',
    '..%2fx',
    '%00',
    '..%c0%afx',
    '&#46;&#46;/x',
  ],
  ...[
    'x\0',
    '\0',
    'x\0.txt',
    'x\ny',
    'x\ry',
    'x\u001b[31m',
    '\u007f',
    '\u0085',
    'x\u2028y',
    '\u202etxt.exe',
    'x\u200b',
    '\ufeff',
    '\u2066x',
  ],
  ...[
    '\ud800',
    'x\udfff',
    'ů'.repeat(128),
    'x'.repeat(256),
    'x'.repeat(255),
    `${'x/'.repeat(300)}y`,
    'x/'.repeat(10_000),
  ],
  ...[
    '-rf',
    '--help',
    '-',
    '~',
    '~root',
    '$HOME',
    '$(touch x)',
    '`touch x`',
    ';touch x',
    '|x',
    '&x',
    '>x',
    '<x',
    '*',
    '?',
    '[x]',
    '{x}',
    '!x',
    '#x',
  ],
  ...[
    '"x"',
    "'x'",
    'x"; filename="y',
    "x'; filename*=y",
    '<img src=x onerror=alert(1)>',
    '{{instance}}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a name that is none
    '${x}',
    '<%x%>',
    'x;y',
    'x,y',
    'x=y',
    'x:y',
    'x@y',
  ],
  ...[
    'CON',
    'nul.txt',
    'aux',
    'x.',
    'x ',
    ' x',
    '.x',
    '..x',
    '...',
    'x..',
    '.ssh/authorized_keys',
    '.bashrc',
    'project.sqlite',
    'lost+found',
  ],
  ...[
    'č',
    'c\u030c',
    '你好',
    '😀',
    'é',
    'e\u0301',
    'İ',
    'ß',
    '＿',
    '．．/x',
    '‥/x',
    'x.scipion-name-0123456789abcdef01234567',
    '.scipion-sync',
    '__proto__',
    'constructor',
  ],
];

test(`${HOSTILE.length} hostile names are refused or are just names`, async () => {
  expect(HOSTILE.length).toBeGreaterThan(100);
  const secret = outside('secret.txt');
  writeFileSync(secret, 'secret');
  const before = readdirSync(gateway.directory, { recursive: true }).length;
  let stored = 0;
  for (const name of HOSTILE) {
    const content = Buffer.from(`content of ${name}`);
    const { status, json } = await upload(name, content);
    if (status !== 200) {
      expect(status, JSON.stringify(name)).toBe(400);
      expect(['file-name', 'page-outdated']).toContain(json.code);
      continue;
    }
    stored += 1;
    expect(json.path, JSON.stringify(name)).toBe(name);
    expect(readFileSync(inProject(name))).toEqual(content);
    const response = await get(name);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(content);
    const [, exact = ''] =
      /filename\*=UTF-8''(.+)$/.exec(response.headers.get('content-disposition') ?? '') ?? [];
    expect(decodeURIComponent(exact)).toBe(name.split('/').at(-1));
  }
  expect(stored).toBeGreaterThan(50);
  expect(stored).toBeLessThan(HOSTILE.length - 30);
  const all = readdirSync(gateway.directory, { recursive: true }).length;
  const within = readdirSync(gateway.projectDirectory, { recursive: true }).length;
  expect(all - before - within).toBe(0);
  expect(readdirSync(gateway.uploadsDirectory)).toEqual([]);
  for (const path of [
    '../secret.txt',
    '../../secret.txt',
    secret,
    'a/../../../secret.txt',
    '..',
    '\0',
    '/',
  ]) {
    expect((await get(path)).status, path).toBe(404);
    expect((await list(path)).status, path).toBe(404);
  }
});

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
