import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SIDECAR_IMAGE_TAG } from '../../../stacks/versions.ts';
import { HttpConnections } from '../../src/spaces/onedata/http-connections.ts';
import { SyncMetrics } from '../../src/sync/service/metrics.ts';
import { StatusBoard } from '../../src/sync/service/status-board.ts';
import { TestClock } from './world.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function given(holdsLease = false) {
  const board = new StatusBoard(new TestClock());
  const metrics = new SyncMetrics(board, () => holdsLease);
  open.push(metrics);
  const lines = async (name: string) =>
    (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return { board, metrics, lines };
}

test('a token without end has no time of its end', async () => {
  const { board, lines } = given();
  board.setToken('source', { expiresAt: null, warnings: [] });
  board.setToken('project', { expiresAt: new Date(1_900_000_000_000), warnings: [] });
  expect(await lines('scipion_onedata_token_expiry_timestamp_seconds')).toEqual([
    'scipion_onedata_token_expiry_timestamp_seconds{space="project"} 1900000000',
  ]);
});

test('requests are counted by answer, and where none came', async () => {
  const { lines } = given();
  const server = createServer((_request, response) => response.writeHead(401).end());
  open.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const connections = new HttpConnections({
    origin: `http://127.0.0.1:${port}`,
    connections: 1,
    stallTimeoutMs: 5_000,
    proxy: {},
  });
  const ask = () => connections.request({ method: 'GET', path: '/', headers: {}, body: null });
  await ask();
  server.removeAllListeners('request');
  server.on('request', (incoming) => incoming.socket.destroy());
  await expect(ask()).rejects.toThrow();
  await connections.close();
  expect(await lines('scipion_onedata_requests_total')).toEqual([
    'scipion_onedata_requests_total{code="401"} 1',
    'scipion_onedata_requests_total{code="none"} 1',
  ]);
});

test('missed intervals and the lease', async () => {
  const { metrics, lines } = given(true);
  metrics.missed(0);
  metrics.missed(2);
  expect(await lines('scipion_sync_missed_intervals_total')).toEqual([
    'scipion_sync_missed_intervals_total 2',
  ]);
  expect(await lines('scipion_lease_held')).toEqual(['scipion_lease_held 1']);
});

test('the version is that of the image', async () => {
  const [line] = await given().lines('scipion_build_info');
  expect(line).toBe(
    `scipion_build_info{program="sync",version="${SIDECAR_IMAGE_TAG}",node="${process.versions.node}"} 1`,
  );
});
