import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import * as z from 'zod';
import type { Report } from '../../automation/tools/progress.ts';
import { ensurePackages } from '../apt.ts';
import { applyAddons } from './addons.ts';
import { type BinDir, buildBinaries } from './binaries.ts';
import { type Cluster, clusterOf } from './cluster.ts';
import { configurationFiles } from './configuration.ts';
import { writeCredentials } from './credentials.ts';
import { importImage } from './images.ts';
import { type Kubectl, kubectl } from './kubectl.ts';
import { type Layout, layoutOf, network } from './layout.ts';
import { nodeImage, writeNodeImage } from './node-image.ts';
import { clusterPackages } from './packages.ts';
import { choosePort } from './ports.ts';
import { isRunning } from './process.ts';
import { everythingElse, foundation, type Ports } from './programs.ts';
import { type ClusterRecord, readRecord, withLock, writeRecord } from './record.ts';
import { closeSandbox, openSandbox } from './sandbox.ts';
import { refuseDeadPrograms, refuseDownPrograms, startPrograms, writeServices } from './supervisor.ts';

export interface ClusterOptions {
  /** Folder of everything the cluster keeps; made when missing. */
  readonly stateDirectory: string;
  /** Port of 127.0.0.1 for HTTPS; without it 8443, or a free one when that is taken. */
  readonly httpsPort?: number | undefined;
  /** Port of 127.0.0.1 for the Kubernetes API; without it 6443, or a free one when that is taken. */
  readonly apiPort?: number | undefined;
}

const NODE_SECONDS = 120;

/**
 * Starts the embedded cluster and returns once its node is ready. One that runs already is returned as it is; the
 * state of one that was stopped, or died, is taken up again.
 *
 * @throws Error that names what failed, the end of its log, and what to do. Nothing is left running then.
 */
export async function startCluster(options: ClusterOptions, report: Report): Promise<Cluster> {
  const layout = layoutOf(options.stateDirectory);
  const [binaries] = await Promise.all([buildBinaries(report), ensurePackages(clusterPackages, report)]);
  const wait = () => report('another process starts or stops this cluster; waiting for it');
  return withLock(layout, wait, async () => {
    const running = readRecord(layout);
    if (running?.complete && isRunning(running.supervisor)) {
      return takeUp(layout, running, options, report);
    }
    await closeSandbox(layout, running?.supervisor ?? null, 0);
    return begin(layout, options, binaries, report);
  });
}

/** The cluster runs: it is used as it is, by whichever version of the programs it was started with. */
async function takeUp(
  layout: Layout,
  running: ClusterRecord,
  options: ClusterOptions,
  report: Report,
): Promise<Cluster> {
  report('the cluster runs already');
  refuseOtherPorts(running, options);
  const cluster = clusterOf(layout, running);
  await refuseDownPrograms(layout, [...foundation(portsOf(running)), ...everythingElse(portsOf(running))]);
  await kubectl(kubectlOf(cluster), ['get', '--raw', '/readyz']);
  return cluster;
}

/** @throws Error when other ports are wanted than the running cluster has. */
export function refuseOtherPorts(running: ClusterRecord, wanted: Partial<ClusterOptions>): void {
  for (const key of ['httpsPort', 'apiPort'] as const) {
    if (wanted[key] === undefined || wanted[key] === running[key]) continue;
    throw new Error(
      `The cluster runs with ${key} ${running[key]}, but ${wanted[key]} is wanted. ` +
        'Stop the cluster first, or leave the port out to use the running one.',
    );
  }
}

async function begin(
  layout: Layout,
  options: ClusterOptions,
  binaries: BinDir,
  report: Report,
): Promise<Cluster> {
  report('preparing certificates and settings');
  await mkdir(layout.state, { recursive: true, mode: 0o700 });
  const ports: Ports = {
    https: await choosePort('HTTPS', options.httpsPort, 8443),
    api: await choosePort('Kubernetes API', options.apiPort, 6443),
  };
  await writeCredentials(layout, ports.api);
  await writeConfiguration(layout, binaries);
  await writeServices(layout, [...foundation(ports), ...everythingElse(ports)]);

  report('opening the namespaces of the cluster');
  const supervisor = await openSandbox(layout, binaries.directory);
  try {
    const record = {
      supervisor,
      binaries: binaries.directory,
      httpsPort: ports.https,
      apiPort: ports.api,
      complete: false,
    };
    await writeRecord(layout, record);
    const cluster = clusterOf(layout, record);
    await bringUp(layout, record, cluster, binaries, report);
    await writeRecord(layout, { ...record, complete: true });
    return cluster;
  } catch (error) {
    await closeSandbox(layout, supervisor, 0);
    await rm(layout.record, { force: true });
    throw error;
  }
}

async function bringUp(
  layout: Layout,
  record: ClusterRecord,
  cluster: Cluster,
  binaries: BinDir,
  report: Report,
): Promise<void> {
  const { pid } = record.supervisor;
  const startedAt = new Date();
  const api = kubectlOf(cluster);
  const first = foundation(portsOf(record));
  const rest = everythingElse(portsOf(record));

  report('starting the Kubernetes API');
  await startPrograms(layout, first, pid);
  await waitFor(
    'The Kubernetes API',
    () => kubectl(api, ['get', '--raw', '/readyz']),
    async () => refuseDeadPrograms(layout, first),
  );
  await applyAddons(api, binaries.contourDefinitions);

  report('starting the node and the ingress controller');
  await Promise.all([startPrograms(layout, rest, pid), importNodeImage(record, cluster)]);
  await waitFor(
    'The node',
    () => nodeReady(api, startedAt),
    async () => refuseDeadPrograms(layout, [...first, ...rest]),
  );
  report('the cluster is ready');
}

async function importNodeImage(record: ClusterRecord, cluster: Cluster): Promise<void> {
  if ((await cluster.listImages()).includes(nodeImage)) return;
  const archive = join(tmpdir(), `scipion-node-image-${process.pid}.tar`);
  try {
    await writeNodeImage(archive);
    await importImage(record.supervisor, archive, () => undefined);
  } finally {
    await rm(archive, { force: true });
  }
}

async function writeConfiguration(layout: Layout, binaries: BinDir): Promise<void> {
  for (const [name, content] of Object.entries(configurationFiles(layout))) {
    const file = join(layout.config, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  await execa(join(binaries.directory, 'contour'), [
    'bootstrap',
    '--xds-address=127.0.0.1',
    `--xds-port=${network.xdsPort}`,
    '--admin-address=/run/envoy-admin.sock',
    join(layout.config, 'envoy.json'),
  ]);
}

const nodeSchema = z.object({
  status: z.object({
    conditions: z.array(z.object({ type: z.string(), status: z.string(), lastHeartbeatTime: z.string() })),
  }),
});

/** @throws Error unless the node has said since `startedAt` that it is ready; what it said before a restart is old. */
async function nodeReady(api: Kubectl, startedAt: Date): Promise<void> {
  const text = await kubectl(api, ['get', 'node', network.nodeName, '--output', 'json']);
  const ready = nodeSchema.parse(JSON.parse(text)).status.conditions.find(({ type }) => type === 'Ready');
  const fresh = ready && Date.parse(ready.lastHeartbeatTime) >= startedAt.getTime() - 1000;
  if (ready?.status !== 'True' || !fresh) throw new Error(`it reports ${JSON.stringify(ready ?? null)}`);
}

async function waitFor(
  what: string,
  check: () => Promise<unknown>,
  refuse: () => Promise<void>,
): Promise<void> {
  const deadline = Date.now() + NODE_SECONDS * 1000;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      await refuse();
      if (Date.now() > deadline) {
        throw new Error(`${what} of the embedded cluster is not ready after ${NODE_SECONDS} s: ${error}`);
      }
      await sleep(300);
    }
  }
}

function portsOf(record: ClusterRecord): Ports {
  return { https: record.httpsPort, api: record.apiPort };
}

function kubectlOf(cluster: Cluster): Kubectl {
  return { program: cluster.kubectlPath, kubeconfig: cluster.kubeconfigPath };
}
