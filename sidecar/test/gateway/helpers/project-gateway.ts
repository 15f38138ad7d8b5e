import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { MemorySpace } from '../../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG } from '../../sync/given-container.ts';
import { eventually, SAME_ORIGIN, sessionCookie, view } from './client.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

/** The real gateway with the real `sync` behind it. */
const containers = new Containers();
export let gateway: RunningGateway;
export let cookie: string;

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

export const inProject = (path: string) => join(gateway.projectDirectory, path);
export const outside = (path: string) => join(gateway.directory, path);

export interface Answer {
  readonly status: number;
  readonly json: { id?: string; offset?: number; path?: string; code?: string };
}

export async function send(method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
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

export const MODIFIED = Date.parse('2025-02-03T04:05:06Z');
export const drawAttempt = () => randomBytes(16).toString('hex');
export const begin = (path: string, size: number, attempt = drawAttempt()) =>
  send('POST', '/uploads', { path, size, modified: MODIFIED, attempt });
/** What lies among the uploads, without the receipts of those that have arrived. */
export const unfinished = () =>
  readdirSync(gateway.uploadsDirectory).filter((name) => !name.startsWith('placed-'));
export const part = (id: string | undefined, offset: number, bytes: Buffer) =>
  send('PUT', `/uploads/${id}?offset=${offset}`, bytes);

export async function upload(path: string, content: Buffer): Promise<Answer> {
  const begun = await begin(path, content.length);
  if (begun.status !== 200) return begun;
  return part(begun.json.id, 0, content);
}

export const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.origin}/files/content?path=${encodeURIComponent(path)}`, {
    headers: { cookie, ...headers },
  });

export async function list(
  path: string,
): Promise<{ status: number; rows: { name: string; kind: string }[]; path: string }> {
  const response = await fetch(`${gateway.origin}/files?path=${encodeURIComponent(path)}`, {
    headers: { cookie },
  });
  const { rows = [], path: truePath } = (await response.json()) as { rows?: []; path: string };
  return { status: response.status, rows, path: truePath };
}
