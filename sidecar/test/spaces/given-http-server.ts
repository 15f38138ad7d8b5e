import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { onTestFinished, vi } from 'vitest';
import type { DispatcherOptions } from '../../src/spaces/onedata/dispatcher.ts';
import {
  ANSWERED,
  type Answer,
  type Answered,
  HttpConnections,
  type OutgoingRequest,
} from '../../src/spaces/onedata/http-connections.ts';
import type { LoadMeter } from '../../src/spaces/onedata/load-meter.ts';

export interface GivenHttpServer {
  readonly origin: string;
  readonly server: Server;
  open(options?: Partial<DispatcherOptions>, meter?: LoadMeter): HttpConnections;
}

/** A server of this test alone. What was opened to it is closed with it when the test is over. */
export async function givenHttpServer(listener: RequestListener): Promise<GivenHttpServer> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened: HttpConnections[] = [];
  onTestFinished(async () => {
    await Promise.all(opened.map((connections) => connections.close()));
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const open: GivenHttpServer['open'] = (options, meter) => {
    const all = { origin, connections: 4, stallTimeoutMs: 30_000, proxy: {}, ...options };
    const connections = new HttpConnections(all, meter);
    opened.push(connections);
    return connections;
  };
  return { origin, server, open };
}

export const get = (connections: HttpConnections, more: Partial<OutgoingRequest> = {}) =>
  connections.request({ method: 'GET', path: '/', headers: {}, body: null, ...more });

export const put = (connections: HttpConnections, more: Partial<OutgoingRequest>) =>
  get(connections, { method: 'PUT', ...more });

/** All bytes of an answer. */
export async function contentOfAnswer({ body }: Answer): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

export interface CountingMeter {
  readonly meter: LoadMeter;
  begun: number;
  moved: number;
  /** What each end said of the load. */
  readonly ends: boolean[];
}

export function countingMeter(): CountingMeter {
  const counts = {
    begun: 0,
    moved: 0,
    ends: [] as boolean[],
    meter: {
      begin: () => {
        counts.begun += 1;
      },
      moved: (bytes: number) => {
        counts.moved += bytes;
      },
      end: (isOverloaded: boolean) => {
        counts.ends.push(isOverloaded);
      },
    } as unknown as LoadMeter,
  };
  return counts;
}

/** The statuses that are told from now to the end of the test. */
export function toldStatuses(): (number | null)[] {
  const statuses: (number | null)[] = [];
  const hear = (told: unknown) => statuses.push((told as Answered).status);
  subscribe(ANSWERED, hear);
  onTestFinished(() => {
    unsubscribe(ANSWERED, hear);
  });
  return statuses;
}

/** Bytes that differ from place to place, so that a lost, doubled or exchanged piece is seen. */
export function unlikeBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at + 4 <= count; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return bytes;
}

/** Sends bytes in chunks of a size, no faster than they are taken. Who receives them may leave early. */
export async function sendInChunks(response: ServerResponse, bytes: Buffer, each: number): Promise<void> {
  const chunks = function* () {
    for (let at = 0; at < bytes.length; at += each) yield bytes.subarray(at, at + each);
  };
  await pipeline(Readable.from(chunks()), response).catch(() => undefined);
}

/** Waits until a number has stayed the same for a while, and returns it. */
export async function settled(read: () => number): Promise<number> {
  let before = Number.NaN;
  let since = performance.now();
  await vi.waitUntil(
    () => {
      if (read() !== before) since = performance.now();
      before = read();
      return performance.now() - since > 700;
    },
    { timeout: 30_000, interval: 50 },
  );
  return before;
}
