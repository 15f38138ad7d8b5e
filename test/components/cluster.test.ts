import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as pulumi from '@pulumi/pulumi';
import { afterEach, expect, test, vi } from 'vitest';
import { connect } from '../../components/cluster.ts';
import { type ApiAnswers, sendTo, startApiServer } from '../helpers/api-server.ts';

const TARGET = {
  namespace: 'jane',
  pod: 'scipion-0',
  container: 'sync',
  command: ['/usr/local/bin/sync', 'drain'],
};

afterEach(() => vi.restoreAllMocks());

/** Connects as a hook does: with the kubeconfig of the provider's configuration. */
async function connected(answers: ApiAnswers) {
  const api = await startApiServer(answers);
  pulumi.runtime.setAllConfig({ 'kubernetes:kubeconfig': api.kubeconfig });
  return { api, cluster: connect() };
}

async function execWith(exec: NonNullable<ApiAnswers['exec']> | undefined) {
  const { api, cluster } = await connected(exec ? { exec } : {});
  await using _server = api;
  const lines: string[] = [];
  const result = await cluster.exec(TARGET, (line) => void lines.push(line));
  return { result, lines, requests: api.requests };
}

const succeeded = { status: 'Success' };
const exited = (code: number) => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

test('runs a command in a container and hands its lines on, whole', async () => {
  const { result, lines, requests } = await execWith((socket) => {
    for (const part of ['saved 1 of', ' 2 files\n\nsaved 2', ' of 2 files\n', 'done'])
      sendTo(socket, 1, part);
    sendTo(socket, 3, succeeded);
    socket.close();
  });
  expect(result).toEqual({ kind: 'exit', code: 0, stderr: '' });
  expect(lines).toEqual(['saved 1 of 2 files', 'saved 2 of 2 files', 'done']);
  expect(requests).toEqual([
    'EXEC /api/v1/namespaces/jane/pods/scipion-0/exec?stdout=true&stderr=true&stdin=false&tty=false&command=%2Fusr%2Flocal%2Fbin%2Fsync&command=drain&container=sync',
  ]);
});

test('tells the exit code and the errors of a command that fails', async () => {
  const { result } = await execWith((socket) => {
    sendTo(socket, 2, 'the token expired\n');
    sendTo(socket, 3, exited(12));
    socket.close();
  });
  expect(result).toEqual({ kind: 'exit', code: 12, stderr: 'the token expired' });
});

test('a connection that ends without a status is lost, not a success', async () => {
  const { result } = await execWith((socket) => {
    sendTo(socket, 1, 'saved 1 of 2 files\n');
    socket.terminate();
  });
  expect(result).toMatchObject({ kind: 'lost' });
});

test('a refused connection is lost, with the answer of the API server', async () => {
  const { result } = await execWith(undefined);
  expect(result).toEqual({ kind: 'lost', reason: expect.stringContaining('403') });
});

test('an object that does not exist is undefined, an API server that fails is an error', async () => {
  const { api, cluster } = await connected({
    objects: {
      '/api/v1/namespaces/jane/pods/scipion-0': { metadata: { name: 'scipion-0' } },
      '/apis/apps/v1/namespaces/jane/statefulsets/scipion': 500,
      '/api/v1/persistentvolumes/pv-1': 403,
      '/api/v1/namespaces/jane': 403,
    },
  });
  await using _server = api;
  expect(await cluster.pod('jane', 'scipion-0')).toMatchObject({ metadata: { name: 'scipion-0' } });
  expect(await cluster.claim('jane', 'scipion-project')).toBeUndefined();
  expect(await cluster.volume('pv-1')).toBeUndefined();
  expect(await cluster.namespace('jane')).toBeUndefined();
  await expect(cluster.statefulSet('jane', 'scipion')).rejects.toThrow('500');
});

test('changes go as merge patches of nothing else', async () => {
  const claim = '/api/v1/namespaces/jane/persistentvolumeclaims/scipion-project';
  const set = '/apis/apps/v1/namespaces/jane/statefulsets/scipion';
  const { api, cluster } = await connected({ objects: { [claim]: {}, [set]: {} } });
  await using _server = api;
  await cluster.annotateClaim('jane', 'scipion-project', { a: 'b' });
  await cluster.scale('jane', 'scipion', 1);
  expect(api.requests).toEqual([
    `PATCH ${claim} application/merge-patch+json {"metadata":{"annotations":{"a":"b"}}}`,
    `PATCH ${set} application/merge-patch+json {"spec":{"replicas":1}}`,
  ]);
});

test('an API server that is silent is an error after a while, and a command is lost', async () => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => timeout(ms / 100));
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const api = await startApiServer({});
  await api[Symbol.asyncDispose]();
  const kubeconfig = api.kubeconfig.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`);
  pulumi.runtime.setAllConfig({ 'kubernetes:kubeconfig': kubeconfig });
  await expect(connect().pod('jane', 'scipion-0')).rejects.toThrow(
    'did not answer within 30 s. See what answers: kubectl cluster-info',
  );
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const lost = connect().exec(TARGET, () => {});
  await vi.advanceTimersByTimeAsync(30_000);
  vi.useRealTimers();
  expect(await lost).toEqual({ kind: 'lost', reason: 'the API server did not answer within 30 s' });
  silent.close();
  silent.closeAllConnections();
});
