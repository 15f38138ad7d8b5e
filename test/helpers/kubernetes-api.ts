import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { Agent, fetch } from 'undici';
import { ensurePackages } from '../../local/apt.ts';
import { buildBinaries } from '../../local/cluster/index.ts';
import { freePort } from './free-port.ts';

/**
 * A real API server without nodes and controllers, on loopback: what admission, server-side apply and RBAC
 * say is Kubernetes' own. Of the controllers it plays what Pulumi waits for.
 */

export interface KubernetesApi extends AsyncDisposable {
  /** Of somebody who may do everything. */
  readonly kubeconfig: string;
  readonly url: string;
  /** Certificate authorities of it. */
  readonly authorities: string;
  /** @returns the object of the answer @throws Error with the answer where it is a refusal */
  request(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
}

export interface KubernetesApiOptions {
  /** Kubernetes' own controllers that run beside it, e.g. `job-controller`. */
  readonly controllers?: readonly string[];
}

const ADMIN_TOKEN = 'admin-of-a-test';

/** The programs are those of the embedded cluster: built here where that was not done yet, which takes minutes. */
export async function startKubernetesApi({
  controllers: run = [],
}: KubernetesApiOptions = {}): Promise<KubernetesApi> {
  await ensurePackages(['etcd-server', 'openssl'], () => {});
  const binaries = await buildBinaries(() => {});
  const place = mkdtempSync(join(tmpdir(), 'kubernetes-api-'));
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const key = join(place, 'service-account.key');
  await execa('openssl', ['genrsa', '-out', key, '2048']);
  const tokens = join(place, 'tokens.csv');
  writeFileSync(tokens, `${ADMIN_TOKEN},admin,0,system:masters\n`, { mode: 0o600 });
  const log = join(place, 'log');
  const processes: ChildProcess[] = [];
  const start = (command: string, args: readonly string[]) => {
    const child = spawn(command, args, { cwd: place, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(createWriteStream(log, { flags: 'a' }));
    processes.push(child);
  };
  const stop = async () => {
    for (const child of processes.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(place, { recursive: true, force: true });
  };
  try {
    start('etcd', [
      ...[`--data-dir=${join(place, 'etcd')}`, '--logger=zap', '--log-level=warn', '--unsafe-no-fsync'],
      ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
      ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
      ...['--name=test', `--initial-cluster=test=${peerUrl}`],
    ]);
    start(join(binaries.directory, 'kube-apiserver'), [
      ...[`--etcd-servers=${etcdUrl}`, `--secure-port=${port}`, '--bind-address=127.0.0.1'],
      ...[`--cert-dir=${join(place, 'certificates')}`, `--token-auth-file=${tokens}`],
      ...['--authorization-mode=RBAC', '--service-cluster-ip-range=10.99.0.0/24'],
      ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${key}`],
      ...[`--service-account-signing-key-file=${key}`, '--enable-priority-and-fairness=false'],
      '--profiling=false',
    ]);
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
    const ask = (method: string, path: string, body?: object) =>
      fetch(`https://127.0.0.1:${port}${path}`, {
        dispatcher,
        method,
        headers: {
          authorization: `Bearer ${ADMIN_TOKEN}`,
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    await ready(ask, processes, log);
    const request = async (method: string, path: string, body?: object) => {
      const response = await ask(method, path, body);
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return JSON.parse(text) as Record<string, unknown>;
    };
    if (run.length > 0) {
      const kubeconfig = join(place, 'kubeconfig');
      writeFileSync(kubeconfig, kubeconfigOf(port), { mode: 0o600 });
      start(join(binaries.directory, 'kube-controller-manager'), [
        ...[`--kubeconfig=${kubeconfig}`, `--controllers=${run.join(',')}`, '--leader-elect=false'],
        ...['--secure-port=0', '--profiling=false', '--kube-api-qps=200', '--kube-api-burst=400'],
      ]);
    }
    const controllers = playControllers(request);
    return {
      kubeconfig: kubeconfigOf(port),
      url: `https://127.0.0.1:${port}`,
      authorities: readFileSync(join(place, 'certificates', 'apiserver.crt'), 'utf8'),
      request,
      [Symbol.asyncDispose]: async () => {
        await controllers.stop();
        await dispatcher.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const START_SECONDS = 180;

async function ready(
  ask: (method: string, path: string) => Promise<{ readonly ok: boolean }>,
  processes: readonly ChildProcess[],
  log: string,
): Promise<void> {
  for (const end = Date.now() + START_SECONDS * 1000; ; await sleep(200)) {
    if (
      await ask('GET', '/readyz').then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    const isDead = processes.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (!isDead && Date.now() < end) continue;
    const last = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(-10).join('\n') : '';
    throw new Error(`The API server does not start:\n${last}`);
  }
}

interface Item {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly spec: { readonly replicas: number };
  readonly status?: { readonly observedGeneration?: number };
}

const ROUND_MILLISECONDS = 300;

/** StatefulSets are ready as soon as they are made. */
function playControllers(request: KubernetesApi['request']) {
  const stopped = new AbortController();
  const round = async () => {
    const { items } = (await request('GET', '/apis/apps/v1/statefulsets')) as unknown as { items: Item[] };
    for (const { metadata, spec, status } of items) {
      if (status?.observedGeneration === metadata.generation) continue;
      const { replicas } = spec;
      const counts = {
        ...{ replicas, readyReplicas: replicas, availableReplicas: replicas },
        ...{ currentReplicas: replicas, updatedReplicas: replicas },
      };
      const path = `/apis/apps/v1/namespaces/${metadata.namespace}/statefulsets/${metadata.name}/status`;
      await request('PATCH', path, {
        status: {
          ...counts,
          observedGeneration: metadata.generation,
          currentRevision: 'r',
          updateRevision: 'r',
        },
      });
    }
  };
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      // An object that has gone meanwhile is of the next round.
      await round().catch(() => undefined);
      await sleep(ROUND_MILLISECONDS);
    }
  })();
  return {
    stop: () => {
      stopped.abort();
      return loop;
    },
  };
}

function kubeconfigOf(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: { token: ADMIN_TOKEN } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}
