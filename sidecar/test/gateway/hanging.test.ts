import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import WebSocket from 'ws';
import { SyncClient } from '../../src/gateway/sync-client.ts';
import { eventually, handshake, openDesktop, sessionCookie, view } from './helpers/client.ts';
import { startFakeRfb } from './helpers/fake-rfb.ts';
import { type FakeSync, READY_STATUS, startFakeSync } from './helpers/fake-sync.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

/** What hangs keeps its connections: only who asks finds out. */

let gateway: RunningGateway;
let cookie: string;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  gateway = await startGateway();
  cookie = await sessionCookie(gateway);
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await gateway.stop();
});

async function withSync(hasEvents = true): Promise<FakeSync> {
  const sync = await startFakeSync(gateway.syncSocket, hasEvents);
  cleanUps.push(() => sync.stop());
  return sync;
}

test('follows the event stream again after an answer that was none', async () => {
  const sync = await withSync(false);
  sync.set({ phase: 'copying' });
  await eventually(
    () => view(gateway, cookie),
    ({ status }) => status?.phase === 'copying',
  );
  await sync.stop();
  const next = await withSync();
  await eventually(
    async () => next.listeners,
    (listeners) => listeners > 0,
  );
});

test.each(['says no more', 'answers nothing'])(
  'does not pass on for long what a data service that hangs has said last: it %s',
  async (how) => {
    const socketPath = join(gateway.directory, 'hung.sock');
    let requests = 0;
    const server = createServer((_request, response) => {
      requests += 1;
      if (how === 'answers nothing' && requests > 1) return;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (requests === 1) response.write(`event: status\ndata: ${JSON.stringify(READY_STATUS)}\n\n`);
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const states: string[] = [];
    const client = new SyncClient(socketPath, () => states.push(client.reachability), 500);
    void client.follow();
    try {
      await eventually(
        async () => states,
        (all) => all.at(-1) === 'down',
      );
      expect(states).toEqual(['up', 'down']);
    } finally {
      await client.close();
      server.closeAllConnections();
      server.close();
    }
  },
);

test('says of an open desktop that it hangs, and when it goes on', async () => {
  const desktop = await startFakeRfb(gateway.vncSocket);
  cleanUps.push(() => desktop.stop());
  // The desktop is asked while a page is open.
  const abort = new AbortController();
  const page = await fetch(`${gateway.origin}/events`, { headers: { cookie }, signal: abort.signal });
  const reading = page.text().catch(() => undefined);
  cleanUps.push(async () => {
    abort.abort();
    await reading;
  });
  const socket = await openDesktop(gateway, { cookie, origin: gateway.origin });
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  cleanUps.push(async () => socket.terminate());
  await handshake(socket);
  const answering = async () => (await view(gateway, cookie)).desktopAnswers;
  await eventually(answering, (answers) => answers === true);
  desktop.isHanging = true;
  await eventually(answering, (answers) => answers === false);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  // Another window does not make it answer.
  const other = await openDesktop(gateway, { cookie, origin: gateway.origin });
  if (typeof other === 'number') throw new Error(`refused with ${other}`);
  cleanUps.push(async () => other.terminate());
  await eventually(
    () => view(gateway, cookie),
    ({ viewers }) => viewers === 2,
  );
  expect(await answering()).toBe(false);
  desktop.isHanging = false;
  await eventually(answering, (answers) => answers === true);
});
