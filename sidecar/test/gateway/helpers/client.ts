import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import type { GatewayView } from '../../../src/gateway/view.ts';
import { PASSWORD } from './start-gateway.ts';

/** Where a gateway is. */
type Place = { readonly origin: string };

/** What a browser sends with a form of the instance's own page. */
export const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin', origin: 'null' } as const;

export function postLogin(
  { origin }: Place,
  password: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${origin}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { ...SAME_ORIGIN, ...headers },
    body: new URLSearchParams({ password }),
  });
}

/** The `name=value` of a cookie that the answer sets. */
export function cookieOf(response: Response, name: string): string {
  const found = response.headers.getSetCookie().find((cookie) => cookie.startsWith(`${name}=`));
  if (!found) throw new Error(`the answer sets no cookie ${name}`);
  return found.split(';')[0] ?? '';
}

/** Logs in; returns the value of the `Cookie` header. */
export async function sessionCookie(gateway: Place, password = PASSWORD): Promise<string> {
  return cookieOf(await postLogin(gateway, password), '__Host-scipion');
}

export function isLoggedIn({ origin }: Place, cookie: string): Promise<boolean> {
  return fetch(`${origin}/view`, { headers: { cookie } }).then(({ status }) => status === 200);
}

export async function view({ origin }: Place, cookie: string): Promise<GatewayView> {
  const response = await fetch(`${origin}/view`, { headers: { cookie } });
  return (await response.json()) as GatewayView;
}

const failedFetch = (error: unknown): TypeError => {
  if (error instanceof TypeError && error.message === 'fetch failed') return error;
  throw error;
};

/**
 * Asks until the answer satisfies; fails with the last one after half a minute. A kept connection may end just as it is asked
 * on, after which browsers ask again.
 */
export async function eventually<T>(ask: () => T | Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    const value = await Promise.resolve(ask()).catch(failedFetch);
    if (!(value instanceof TypeError) && isRight(value)) return value;
    if (performance.now() > end)
      throw new Error(`still not right: ${String(value)} ${JSON.stringify(value)}`);
    await sleep(20);
  }
}

/** HTTP status of a refused WebSocket, or the open WebSocket. */
export async function openDesktop(
  { origin }: Place,
  headers: Record<string, string>,
  path = '/desktop',
): Promise<WebSocket | number> {
  const socket = new WebSocket(origin.replace('http', 'ws') + path, ['binary'], { headers });
  socket.binaryType = 'nodebuffer';
  inputs.set(socket, collect(socket));
  const refused = once(socket, 'unexpected-response').then(
    ([, response]) => (response as { statusCode: number }).statusCode,
  );
  const opened = once(socket, 'open').then(() => socket);
  const result = await Promise.race([opened, refused]);
  socket.on('error', () => undefined);
  if (typeof result === 'number') socket.terminate();
  return result;
}

interface Input {
  /** Resolves with the next bytes once so many are there. */
  take(count: number): Promise<Buffer>;
}

/** The desktop speaks first, at times in one packet with the upgrade, so each socket is read from the start. */
const inputs = new WeakMap<WebSocket, Input>();

function collect(socket: WebSocket): Input {
  let received = Buffer.alloc(0);
  socket.on('message', (data: Buffer) => {
    received = Buffer.concat([received, data]);
  });
  return {
    async take(count) {
      await eventually(
        () => received.length,
        (length) => length >= count,
      );
      const taken = received.subarray(0, count);
      received = received.subarray(count);
      return taken;
    },
  };
}

/** Does a client's part of the RFB handshake with the fake server. */
export async function handshake(socket: WebSocket): Promise<Input> {
  const input = inputs.get(socket);
  if (!input) throw new Error('open the socket with openDesktop');
  await input.take(12);
  socket.send(Buffer.from('RFB 003.008\n'));
  await input.take(2);
  socket.send(Buffer.from([1]));
  await input.take(4);
  return input;
}
