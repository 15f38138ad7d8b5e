import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NAMES } from '../../components/names.ts';
import { makeOpeningCode, openingKeyOf } from '../../sidecar/contract/opening-code.ts';
import { GATEWAY_SECRET_KEYS } from '../../sidecar/contract/paths.ts';
import { HOSTILE } from '../../sidecar/test/gateway/helpers/hostile-names.ts';
import { syncStatus } from './desktop.ts';
import { eventually, inContainer, kube, local } from './world.ts';

/** Files through the ingress controller, cut and resumed; and the way in by a code of a console. */

/** 2147483648 is the full run. */
const BYTES = Number(process.env.GATEWAY_FILE_BYTES ?? 5_000_000);
const PART_BYTES = Math.min(16 * 2 ** 20, Math.ceil(BYTES / 4));
const LONG_MS = 10 * 60_000 + BYTES / 1000;

let origin: URL;
let cookie: string;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly json: { id?: string; offset?: number; path?: string; code?: string };
}

interface Sent {
  readonly method?: string;
  readonly body?: Buffer;
  readonly headers?: Record<string, string>;
  /** The connection breaks when so many bytes of the body have gone, or of the answer have come. */
  readonly cutAfter?: number;
}

/** Asks through the ingress controller; undefined where the connection was cut. */
function ask(
  path: string,
  { method = 'GET', body, headers = {}, cutAfter }: Sent = {},
): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    let isCut = false;
    const sent = request(
      {
        host: '127.0.0.1',
        port: origin.port || 443,
        servername: origin.hostname,
        // The certificate is of the authority of this run.
        rejectUnauthorized: false,
        method,
        path,
        headers: {
          host: origin.host,
          cookie,
          origin: origin.origin,
          ...(body === undefined ? {} : { 'content-length': String(body.length) }),
          ...headers,
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let length = 0;
        const end = (isBroken: boolean) => {
          const content = Buffer.concat(chunks);
          const isJson = String(answer.headers['content-type']).startsWith('application/json');
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: content,
            json: isJson && !isBroken ? (JSON.parse(content.toString()) as Answer['json']) : {},
          });
        };
        answer.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.length;
          if (cutAfter !== undefined && method === 'GET' && length >= cutAfter) {
            answer.destroy();
            end(true);
          }
        });
        answer.on('end', () => end(false));
        answer.on('error', () => undefined);
      },
    );
    sent.on('error', (error) => (isCut ? resolve(undefined) : reject(error)));
    if (body === undefined || cutAfter === undefined) {
      sent.end(body);
    } else {
      sent.write(body.subarray(0, cutAfter), () => {
        // Time to reach the gateway, so that this part is there when the line is back.
        setTimeout(() => {
          isCut = true;
          sent.destroy();
        }, 1000);
      });
    }
  });
}

const json = (content: unknown): Sent => ({
  method: 'POST',
  body: Buffer.from(JSON.stringify(content)),
  headers: { 'content-type': 'application/json' },
});
const attempt = () => randomBytes(16).toString('hex');
const begin = async (path: string, size: number, by = attempt()) =>
  (await ask('/uploads', json({ path, size, modified: 1_700_000_000_000, attempt: by }))) as Answer;
const put = (id: string | undefined, offset: number, body: Buffer, cutAfter?: number) =>
  ask(`/uploads/${id}?offset=${offset}`, {
    method: 'PUT',
    body,
    headers: { 'content-type': 'application/octet-stream' },
    ...(cutAfter === undefined ? {} : { cutAfter }),
  });

beforeAll(async () => {
  const created = await local(['up']);
  expect(created.exitCode).toBe(0);
  origin = new URL(/https:\S+/.exec(created.output)?.[0] ?? '');
  await eventually('the desktop', 240, async () => ((await syncStatus()).ready ? true : undefined));
});
afterAll(async () => {
  expect((await local(['remove'])).exitCode).toBe(0);
});

test('a code of a console opens the instance, once', async () => {
  const key = await kube([
    'get',
    'secret',
    NAMES.gatewaySecret,
    '--output',
    `jsonpath={.data.${GATEWAY_SECRET_KEYS.sessionKey}}`,
  ]);
  const sessionKey = Buffer.from(key, 'base64').toString();
  cookie = '';
  const code = await makeOpeningCode({
    key: openingKeyOf(sessionKey),
    origin: origin.origin,
    user: 'end-to-end',
  });
  const opened = await ask('/open', json({ code }));
  expect(opened?.status).toBe(200);
  const [session] = opened?.headers['set-cookie'] ?? [];
  cookie = session?.split(';')[0] ?? '';
  expect((await ask('/view'))?.status).toBe(200);
  expect((await ask('/open', json({ code })))?.json.code).toBe('opening-used');
});

test(`${BYTES} bytes go to the project and back with cuts`, { timeout: LONG_MS }, async () => {
  const block = randomBytes(PART_BYTES);
  const sent = createHash('sha256');
  const partAt = (offset: number) => {
    const part = Buffer.from(block.subarray(0, Math.min(PART_BYTES, BYTES - offset)));
    part.write(String(offset));
    return part;
  };
  for (let at = 0; at < BYTES; at += PART_BYTES) sent.update(partAt(at));
  const digest = sent.digest('hex');
  const by = attempt();
  let { id, offset = 0, path } = (await begin('through/ingress.mrc', BYTES, by)).json;
  let cuts = 0;
  for (let tries = 0; path === undefined && tries < 3 * (BYTES / PART_BYTES) + 20; tries += 1) {
    const start = Math.floor(offset / PART_BYTES) * PART_BYTES;
    const rest = partAt(start).subarray(offset - start);
    const isToCut = cuts < 2 && offset > (cuts * BYTES) / 2;
    const answer = await put(id, offset, rest, isToCut ? Math.ceil(rest.length / 2) : undefined);
    if (answer?.status === 200) {
      ({ offset = 0, path } = answer.json);
      continue;
    }
    if (answer === undefined) cuts += 1;
    await new Promise((resolve) => setTimeout(resolve, 500));
    ({ id, offset = 0, path } = (await begin('through/ingress.mrc', BYTES, by)).json);
  }
  expect([path, cuts]).toEqual(['through/ingress.mrc', 2]);
  const found = await inContainer('desktop', ['sha256sum', '/mnt/vol-project/through/ingress.mrc']);
  expect(found.split(' ')[0]).toBe(digest);
  // Asked again after the end, nothing is sent again.
  expect((await begin('through/ingress.mrc', BYTES, by)).json).toMatchObject({ offset: BYTES, path });

  const back = createHash('sha256');
  let [got, etag] = [0, ''];
  while (got < BYTES) {
    const headers: Record<string, string> = got === 0 ? {} : { range: `bytes=${got}-`, 'if-range': etag };
    const cutAfter = Math.ceil(BYTES / 3);
    const answer = await ask('/files/content?path=through/ingress.mrc', { headers, cutAfter });
    expect(answer?.status).toBe(got === 0 ? 200 : 206);
    etag = String(answer?.headers.etag);
    back.update(answer?.body ?? '');
    got += answer?.body.length ?? 0;
  }
  expect(back.digest('hex')).toBe(digest);
});

test(`${HOSTILE.length} hostile names are refused or are just names`, async () => {
  let stored = 0;
  for (const name of HOSTILE) {
    const content = Buffer.from(`content of ${name}`);
    const begun = await begin(`hostile/${name}`, content.length);
    if (begun.status !== 200) {
      expect(begun.status, JSON.stringify(name)).toBe(400);
      continue;
    }
    const placed = await put(begun.json.id, 0, content);
    expect(placed?.json.path, JSON.stringify(name)).toBe(`hostile/${name}`);
    const path = encodeURIComponent(`hostile/${name}`);
    expect((await ask(`/files/content?path=${path}`))?.body, JSON.stringify(name)).toEqual(content);
    stored += 1;
  }
  expect(stored).toBeGreaterThan(50);
  for (const path of ['../secret', '/etc/passwd', 'hostile/../../x', '..']) {
    expect((await ask(`/files/content?path=${encodeURIComponent(path)}`))?.status).toBe(404);
  }
  const above = await inContainer('sync', ['ls', '-A', '/volumes/project']);
  expect(above.trim().split('\n').sort()).toEqual(expect.arrayContaining(['data', 'state', 'uploads']));
  expect(above).not.toMatch(/passwd|touch|hostile/);
});
