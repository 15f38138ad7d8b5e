import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Uploads } from '../../src/gateway/uploads.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { eventually, view } from './helpers/client.ts';
import { HOSTILE } from './helpers/hostile-names.ts';
import {
  begin,
  cookie,
  drawAttempt,
  gateway,
  get,
  inProject,
  list,
  MODIFIED,
  outside,
  part,
  send,
  unfinished,
  upload,
} from './helpers/project-gateway.ts';

describe('an upload', () => {
  test('goes on where it broke off, and has its name only when it is complete', async () => {
    const content = randomBytes(3_000_000);
    const { json } = await begin('demo/Uploads/movie.mrc', content.length);
    expect((await part(json.id, 0, content.subarray(0, 1_000_000))).json).toEqual({ offset: 1_000_000 });
    expect((await list('')).rows).toEqual([]);
    // The line breaks in the middle of a part: what came of it stays.
    const { port } = new URL(gateway.origin);
    const socket = connect(Number(port), 'localhost');
    socket.write(
      `PUT /uploads/${json.id}?offset=1000000 HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\n` +
        'sec-fetch-site: same-origin\r\norigin: null\r\n' +
        'content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n',
    );
    socket.write(content.subarray(1_000_000, 1_500_000));
    const [name] = readdirSync(gateway.uploadsDirectory);
    await eventually(
      async () => statSync(join(gateway.uploadsDirectory, String(name))).size,
      (size) => size === 1_500_000,
    );
    socket.destroy();
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
    expect(unfinished()).toEqual([]);
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
      const request = { path: 'x', size, modified: 0, attempt: drawAttempt() };
      expect((await send('POST', '/uploads', request)).status).toBe(400);
    }
    for (const attempt of ['', 'x', '../../data/x', null, 'F'.repeat(32)]) {
      const request = { path: 'x', size: 1, modified: 0, attempt };
      expect((await send('POST', '/uploads', request)).status).toBe(400);
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

test('a file dated before 1970 is sent like any other', async () => {
  const request = { path: 'old.mrc', size: 3, modified: -86_400_000, attempt: drawAttempt() };
  const { status, json } = await send('POST', '/uploads', request);
  expect(status).toBe(200);
  expect((await part(json.id, 0, Buffer.from('old'))).json).toMatchObject({ path: 'old.mrc' });
  expect(statSync(inProject('old.mrc')).mtimeMs).toBe(-86_400_000);
});

/** A file system of its own; false where this user may not mount one. */
function mountSmall(folder: string, options = 'size=4m'): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status === 0;
}

test('an upload on a volume that gets full waits for room and goes on', async ({ skip }) => {
  const folder = outside('small');
  mkdirSync(folder);
  if (!mountSmall(folder)) return skip('needs the right to mount a tmpfs');
  const uploads = new Uploads(folder, async ({ path }) => path);
  try {
    const content = randomBytes(3_000_000);
    const request = { path: 'a', size: content.length, modified: 0, attempt: drawAttempt() };
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

test('an upload on a volume without inodes waits for room as well', async ({ skip }) => {
  const folder = outside('no-inodes');
  mkdirSync(folder);
  if (!mountSmall(folder, 'size=400m,nr_inodes=2')) return skip('needs the right to mount a tmpfs');
  const uploads = new Uploads(folder, async ({ path }) => path);
  try {
    writeFileSync(join(folder, 'last'), '');
    const { id } = await uploads.begin({ path: 'a', size: 3, modified: 0, attempt: drawAttempt() });
    const late = uploads.append(id, 0, [Buffer.from('abc')]);
    await expect(late).rejects.toMatchObject({ status: 507, code: 'file-room' });
    rmSync(join(folder, 'last'));
    expect(await uploads.append(id, 0, [Buffer.from('abc')])).toMatchObject({ path: 'a' });
  } finally {
    uploads.close();
    spawnSync('umount', ['-l', folder]);
  }
});

test('files that are begun at one moment are no more than those that may be sent at one time', async () => {
  const folder = outside('at-once');
  mkdirSync(folder);
  const uploads = new Uploads(folder, async ({ path }) => path);
  try {
    const asked = Array.from({ length: 12 }, (_, number) =>
      uploads.begin({ path: `${number}`, size: 1, modified: 0, attempt: drawAttempt() }),
    );
    const answers = await Promise.allSettled(asked);
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
  } finally {
    uploads.close();
  }
});

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
  // One receipt each beside the uploads, and nothing anywhere else.
  expect(all - before - within).toBe(stored);
  expect(unfinished()).toEqual([]);
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
