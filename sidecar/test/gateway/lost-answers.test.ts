import { randomBytes } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Uploads } from '../../src/gateway/uploads.ts';
import { placeUpload } from '../../src/sync/volume/place-upload.ts';
import { Uploader } from '../../web/src/uploader.ts';
import { eventually, SAME_ORIGIN } from './helpers/client.ts';
import { type Cut, startCuttingProxy } from './helpers/cutting-proxy.ts';
import {
  begin,
  cookie,
  drawAttempt,
  gateway,
  inProject,
  outside,
  part,
  unfinished,
} from './helpers/project-gateway.ts';

const SIZE = 2_500_000;
const request = (bytes: (head: number, body: number) => number): Cut => ({ at: 'request', bytes });

/** `again`: how many bytes of the last part may go twice, as a share of it. */
const CUTS: readonly [string, Cut, { readonly again: number }][] = [
  ['before it has begun', request(() => 0), { again: 0 }],
  ['in the middle of its headers', request((head) => head - 40), { again: 0 }],
  ['behind its headers', request((head) => head), { again: 0 }],
  ['in the middle of its bytes', request((head, body) => head + Math.floor(body / 2)), { again: 1 }],
  ['before its last byte', request((head, body) => head + body - 1), { again: 1 }],
  ['behind its last byte', request((head, body) => head + body), { again: 1 }],
  ['before the first byte of the answer', { at: 'answer', bytes: 0 }, { again: 0 }],
  ['in the middle of the answer', { at: 'answer', bytes: 60 }, { again: 0 }],
];

describe('a file whose last part is cut off', () => {
  afterEach(() => vi.unstubAllGlobals());

  test.each(CUTS)('%s arrives once, by the page’s own way', async (_when, cut, { again }) => {
    const content = randomBytes(SIZE);
    const proxy = await startCuttingProxy(gateway.origin, SIZE, cut);
    const real = fetch;
    vi.stubGlobal('fetch', (path: string, init: RequestInit = {}) =>
      path.startsWith('/')
        ? real(proxy.origin + path, { ...init, headers: { ...init.headers, cookie, ...SAME_ORIGIN } })
        : real(path, init),
    );
    let placed = 0;
    const uploader = new Uploader(
      () => undefined,
      () => {
        placed += 1;
      },
    );
    const file = new File([content], 'movie.mrc', { lastModified: 1_700_000_000_000 });
    uploader.add([{ file, path: 'demo/movie.mrc' }]);
    try {
      const [sending] = uploader.sendings;
      await eventually(
        () => sending?.state,
        (state) => state === 'done' || state === 'refused' || state === 'paused',
      );
      expect(sending).toMatchObject({ state: 'done', placed: 'demo/movie.mrc', error: '', sent: SIZE });
      expect([proxy.cuts, placed]).toEqual([1, 1]);
      expect(readdirSync(inProject('demo'))).toEqual(['movie.mrc']);
      expect(readFileSync(inProject('demo/movie.mrc'))).toEqual(content);
      expect(unfinished()).toEqual([]);
      const last = SIZE - 1024 * 1024;
      expect(proxy.bodyBytes).toBeGreaterThanOrEqual(SIZE);
      expect(proxy.bodyBytes).toBeLessThanOrEqual(SIZE + again * last);
    } finally {
      await proxy.stop();
    }
  });

  test('is another file for another page, and the same again for a gateway that has restarted', async () => {
    const content = randomBytes(1000);
    const attempt = drawAttempt();
    const { json } = await begin('a.mrc', content.length, attempt);
    expect((await part(json.id, 0, content)).json.path).toBe('a.mrc');
    expect((await begin('a.mrc', content.length, attempt)).json).toEqual({
      id: json.id,
      offset: content.length,
      path: 'a.mrc',
    });
    expect((await begin('a.mrc', content.length)).json.offset).toBe(0);
    const restarted = new Uploads(gateway.uploadsDirectory, async () => 'never');
    const same = { path: 'a.mrc', size: content.length, modified: 0, attempt };
    expect(await restarted.begin(same)).toMatchObject({ offset: content.length, path: 'a.mrc' });
    restarted.close();
    expect(readdirSync(inProject(''))).toEqual(['a.mrc']);
  });
});

test('a file for which there is no room waits for its user with that sentence, and goes on where it was', async () => {
  const content = randomBytes(SIZE);
  const real = fetch;
  let [isFull, bytes] = [true, 0];
  vi.stubGlobal('fetch', async (path: string, init: RequestInit = {}) => {
    if (!path.startsWith('/')) return real(path, init);
    if (init.method === 'PUT' && isFull && path.includes(`offset=${1024 * 1024}`)) {
      return Response.json({ code: 'file-room', message: 'The volume has no room.' }, { status: 507 });
    }
    if (init.body instanceof Blob) bytes += init.body.size;
    return real(gateway.origin + path, { ...init, headers: { ...init.headers, cookie, ...SAME_ORIGIN } });
  });
  const uploader = new Uploader(
    () => undefined,
    () => undefined,
  );
  uploader.add([{ file: new File([content], 'a.mrc', { lastModified: 1 }), path: 'a.mrc' }]);
  const [sending] = uploader.sendings;
  await eventually(
    () => sending?.state,
    (state) => state === 'paused',
  );
  expect(sending).toMatchObject({ sent: 1024 * 1024, error: 'The volume has no room.' });
  isFull = false;
  if (sending) uploader.resume(sending);
  await eventually(
    () => sending?.state,
    (state) => state === 'done',
  );
  vi.unstubAllGlobals();
  expect(readFileSync(inProject('a.mrc'))).toEqual(content);
  expect(bytes).toBe(SIZE);
});

describe('giving a file its place', () => {
  const upload = 'e'.repeat(32);
  const give = (attempt: string) =>
    placeUpload(outside('project'), { upload, path: 'x.mrc', attempt }, () => undefined);
  const inUploads = (name: string) => join(gateway.uploadsDirectory, name);

  test('again by the same attempt does nothing more, by another one gives it a number', async () => {
    const attempt = drawAttempt();
    writeFileSync(inUploads(upload), 'first');
    expect(await give(attempt)).toBe('x.mrc');
    expect(await give(attempt)).toBe('x.mrc');
    writeFileSync(inUploads(upload), 'second');
    expect(await give(drawAttempt())).toBe('x (2).mrc');
    expect(readdirSync(inProject('')).sort()).toEqual(['x (2).mrc', 'x.mrc']);
  });

  test('continues where a crash came between its steps', async () => {
    writeFileSync(inUploads(upload), 'content');
    linkSync(inUploads(upload), inProject('x.mrc'));
    expect(await give(drawAttempt())).toBe('x.mrc');
    expect(readdirSync(inProject(''))).toEqual(['x.mrc']);
    expect(unfinished()).toEqual([]);
  });
});
