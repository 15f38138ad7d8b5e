import { createRequire } from 'node:module';
import { PassThrough, type Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type * as Client from '@kubernetes/client-node';
import { clusterAccess, isKubeconfigContent } from '../stacks/cluster-access.ts';
import { NAMES } from './names.ts';
import { proxyFor } from './proxy.ts';

/** The API server, for whoever knows a kubeconfig: the hooks of the program, and the fleet. Knows nothing of Pulumi. */

/** Loaded by the first hook that speaks to the cluster: it is half of what loading the program costs, and most runs need none. */
const require = createRequire(import.meta.url);
const library = (): typeof Client => require('@kubernetes/client-node');

/** How a command in a container ended. `lost`: the connection broke before it told. */
export type ExecResult =
  | { readonly kind: 'exit'; readonly code: number; readonly stderr: string }
  | { readonly kind: 'lost'; readonly reason: string };

export interface Cluster {
  /** `undefined` where the object does not exist. */
  pod(namespace: string, name: string): Promise<Client.V1Pod | undefined>;
  statefulSet(namespace: string, name: string): Promise<Client.V1StatefulSet | undefined>;
  claim(namespace: string, name: string): Promise<Client.V1PersistentVolumeClaim | undefined>;
  /** `undefined` also where the user may not read volumes of the cluster. */
  volume(name: string): Promise<Client.V1PersistentVolume | undefined>;
  namespace(name: string): Promise<Client.V1Namespace | undefined>;
  scale(namespace: string, statefulSet: string, replicas: number): Promise<void>;
  /** Shortens the time that a pod has to end; nothing happens where there is no such pod. */
  endPod(namespace: string, name: string, graceSeconds: number): Promise<void>;
  annotateClaim(namespace: string, name: string, annotations: Record<string, string>): Promise<void>;
  /** Runs a command in a container; each line of its standard output goes to `onLine` as it comes. */
  exec(target: ExecTarget, onLine: (line: string) => void): Promise<ExecResult>;
}

export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
}

/** Where a stack's settings `kubernetes:kubeconfig` and `kubernetes:context` lead; neither: the user's own kubeconfig. */
export interface ClusterAddress {
  /** Path or content. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

function kubeConfig({ kubeconfig: given, context }: ClusterAddress): Client.KubeConfig {
  const config = new (library().KubeConfig)();
  const { problem } = clusterAccess({ kubeconfig: given, context });
  if (problem !== undefined) throw new Error(problem.message);
  if (given === undefined || given === '') config.loadFromDefault();
  else if (isKubeconfigContent(given)) config.loadFromString(given);
  else config.loadFromFile(given);
  if (context) config.setCurrentContext(context);
  const current = config.getCurrentCluster();
  const proxyUrl = current && !current.proxyUrl ? proxyFor(current.server, process.env) : undefined;
  if (proxyUrl !== undefined)
    config.clusters = config.clusters.map((cluster) =>
      cluster.name === current?.name ? { ...cluster, proxyUrl } : cluster,
    );
  return config;
}

/** One question to the API server. It answers in milliseconds; one that is silent must not hold a removal for ever. */
const ANSWER_SECONDS = 30;

/** Options of a question. The library has no other way to a middleware of its kind than one that sets a header. */
function bounded(): Client.ConfigurationOptions<Client.ObservableMiddleware> {
  const { pre, post } = library().setHeaderMiddleware('Accept', 'application/json');
  const middleware: Client.ObservableMiddleware = {
    pre: (context) => {
      context.setSignal(AbortSignal.timeout(ANSWER_SECONDS * 1000));
      return pre(context);
    },
    post,
  };
  return { middleware: [middleware], middlewareMergeStrategy: 'append' };
}

const isStatus = (error: unknown, ...codes: number[]) =>
  error instanceof library().ApiException && codes.includes(error.code);

/** Where a question takes no signal. @throws DOMException `TimeoutError` */
const timeOut = (): Promise<never> =>
  new Promise((_, reject) => {
    const signal = AbortSignal.timeout(ANSWER_SECONDS * 1000);
    signal.addEventListener('abort', () => reject(signal.reason));
  });

async function unless<T>(codes: readonly number[], read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isStatus(error, ...codes)) return undefined;
    if ((error as Error).name !== 'TimeoutError') throw error;
    throw new Error(
      `The API server of the cluster did not answer within ${ANSWER_SECONDS} s. See what answers: kubectl cluster-info`,
      { cause: error },
    );
  }
}

/** @see https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go */
function exitCode(status: Client.V1Status): number {
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  return cause?.message === undefined ? 1 : Number(cause.message);
}

function lineStream(onLine: (line: string) => void): PassThrough {
  const stream = new PassThrough({ encoding: 'utf8' });
  let rest = '';
  const emit = (line: string) => void (line.trim() === '' || onLine(line));
  stream.on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(emit);
  });
  stream.on('end', () => emit(rest));
  return stream;
}

type Socket = Awaited<ReturnType<Client.Exec['exec']>>;

const PING_SECONDS = 30;

/** A save may be silent for long, and a connection whose other end has gone says nothing at all. */
function keepAlive(socket: Socket): void {
  let isAnswered = true;
  const timer = setInterval(() => {
    if (!isAnswered) socket.terminate();
    isAnswered = false;
    socket.ping();
  }, PING_SECONDS * 1000);
  socket.on('pong', () => {
    isAnswered = true;
  });
  socket.on('close', () => clearInterval(timer));
}

/** The library gives events in place of errors. */
const reasonOf = (error: unknown): string =>
  (error as { message?: unknown } | undefined)?.message?.toString() || 'the connection was closed';

async function execIn(
  config: Client.KubeConfig,
  target: ExecTarget,
  onLine: (line: string) => void,
): Promise<ExecResult> {
  const stderr = new PassThrough();
  const stderrText = text(stderr);
  const { namespace, pod, container, command } = target;
  let patience: NodeJS.Timeout | undefined;
  const status = await new Promise<Client.V1Status | string>((resolve) => {
    const silent = `the API server did not answer within ${ANSWER_SECONDS} s`;
    patience = setTimeout(() => resolve(silent), ANSWER_SECONDS * 1000);
    new (library().Exec)(config)
      .exec(namespace, pod, container, [...command], lineStream(onLine), stderr, null, false, resolve)
      .then(
        (socket) => {
          clearTimeout(patience);
          keepAlive(socket);
          socket.on('error', (error) => resolve(reasonOf(error)));
          // The status comes before the close; a close without one is a broken connection.
          socket.on('close', () => setImmediate(() => resolve(reasonOf(undefined))));
        },
        (error: unknown) => resolve(reasonOf(error)),
      );
  });
  clearTimeout(patience);
  stderr.end();
  if (typeof status === 'string') return { kind: 'lost', reason: status };
  return { kind: 'exit', code: exitCode(status), stderr: (await stderrText).trim() };
}

/** @throws Error where the kubeconfig leads nowhere, with what helps */
export function openCluster(address: ClusterAddress = {}): Cluster {
  const config = kubeConfig(address);
  const core = config.makeApiClient(library().CoreV1Api);
  const apps = config.makeApiClient(library().AppsV1Api);
  const answer = bounded();
  const mergePatch = library().setHeaderOptions('Content-Type', library().PatchStrategy.MergePatch, answer);
  return {
    pod: (namespace, name) => unless([404], core.readNamespacedPod({ namespace, name }, answer)),
    statefulSet: (namespace, name) =>
      unless([404], apps.readNamespacedStatefulSet({ namespace, name }, answer)),
    claim: (namespace, name) =>
      unless([404], core.readNamespacedPersistentVolumeClaim({ namespace, name }, answer)),
    volume: (name) => unless([403, 404], core.readPersistentVolume({ name }, answer)),
    namespace: (name) => unless([403, 404], core.readNamespace({ name }, answer)),
    scale: async (namespace, name, replicas) => {
      const body = { spec: { replicas } };
      await unless([404], apps.patchNamespacedStatefulSet({ namespace, name, body }, mergePatch));
    },
    endPod: async (namespace, name, gracePeriodSeconds) => {
      await unless([404], core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds }, answer));
    },
    annotateClaim: async (namespace, name, annotations) => {
      const body = { metadata: { annotations } };
      await unless([], core.patchNamespacedPersistentVolumeClaim({ namespace, name, body }, mergePatch));
    },
    exec: (target, onLine) => execIn(config, target, onLine),
  };
}

/** The objects by which an instance is seen to run. */
export interface InstanceObjects {
  readonly statefulSet?: Client.V1StatefulSet;
  readonly pod?: Client.V1Pod;
}

/** What whoever looks after an instance asks besides. */
export interface InstanceCluster extends Cluster {
  /** All instances of the cluster by namespace; `undefined` where the user may not list over all namespaces. */
  instances(): Promise<ReadonlyMap<string, InstanceObjects> | undefined>;
  /** One value of a Secret; `undefined` where there is none, or the user may not read it. */
  secretValue(namespace: string, name: string, key: string): Promise<string | undefined>;
  /** Ends the pod with all the time that it has for its last save; the StatefulSet starts it again. */
  restartPod(namespace: string, name: string): Promise<void>;
  /** The newest warnings of a namespace, the last one at the end. */
  warnings(namespace: string): Promise<readonly string[]>;
  /** Ends with the log, or with the signal. */
  log(target: LogTarget, out: Writable, signal?: AbortSignal): Promise<void>;
}

export interface LogTarget extends Omit<ExecTarget, 'command'> {
  readonly follow: boolean;
  readonly lines: number;
}

/** Which object of any kind. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Reads objects of any kind as they are; `undefined` where there is none. @throws Error where the kubeconfig leads nowhere */
export function openObjectReader(address: ClusterAddress = {}) {
  const api = library().KubernetesObjectApi.makeApiClient(kubeConfig(address));
  return ({
    apiVersion,
    kind,
    name,
    namespace,
  }: ObjectReference): Promise<Client.KubernetesObject | undefined> => {
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    return unless([404], Promise.race([api.read({ apiVersion, kind, metadata }), timeOut()]));
  };
}

const MAX_WARNINGS = 5;
const INSTANCE_SELECTOR = 'app.kubernetes.io/name=scipion,app.kubernetes.io/component=desktop';
const placeOf = ({ metadata }: Client.V1Pod) => `${metadata?.namespace}/${metadata?.name}`;

/** @throws Error where the kubeconfig leads nowhere, with what helps */
export function openInstanceCluster(address: ClusterAddress = {}): InstanceCluster {
  const config = kubeConfig(address);
  const core = config.makeApiClient(library().CoreV1Api);
  const apps = config.makeApiClient(library().AppsV1Api);
  const answer = bounded();
  return {
    ...openCluster(address),
    instances: async () => {
      const all = { labelSelector: INSTANCE_SELECTOR };
      const [sets, pods] = await Promise.all([
        unless([403], apps.listStatefulSetForAllNamespaces(all, answer)),
        unless([403], core.listPodForAllNamespaces(all, answer)),
      ]);
      if (sets === undefined || pods === undefined) return undefined;
      const podOf = new Map(pods.items.map((pod) => [placeOf(pod), pod]));
      const found = sets.items.filter(({ metadata }) => metadata?.name === NAMES.statefulSet);
      return new Map(
        found.map((statefulSet): [string, InstanceObjects] => {
          const namespace = statefulSet.metadata?.namespace ?? '';
          const pod = podOf.get(`${namespace}/${NAMES.pod}`);
          return [namespace, { statefulSet, ...(pod === undefined ? {} : { pod }) }];
        }),
      );
    },
    secretValue: async (namespace, name, key) => {
      const secret = await unless([403, 404], core.readNamespacedSecret({ namespace, name }, answer));
      const value = secret?.data?.[key];
      return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
    },
    restartPod: async (namespace, name) => {
      await unless([404], core.deleteNamespacedPod({ namespace, name }, answer));
    },
    warnings: async (namespace) => {
      const ask = core.listNamespacedEvent({ namespace, fieldSelector: 'type=Warning' }, answer);
      const found = (await unless([403, 404], ask))?.items ?? [];
      const at = ({ lastTimestamp, eventTime }: Client.CoreV1Event) =>
        Number(lastTimestamp ?? eventTime ?? 0);
      const lines = found
        .toSorted((left, right) => at(left) - at(right))
        .map(({ reason, message }) => `${reason}: ${message}`);
      return [...new Set(lines)].slice(-MAX_WARNINGS);
    },
    log: async ({ namespace, pod, container, follow, lines }, out, signal) => {
      const log = new (library().Log)(config);
      const stream = new PassThrough();
      const controller = await log.log(namespace, pod, container, stream, { follow, tailLines: lines });
      signal?.addEventListener('abort', () => controller.abort());
      await pipeline(stream, out, { end: false });
    },
  };
}
