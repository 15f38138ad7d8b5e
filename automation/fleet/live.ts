import type { V1Pod } from '@kubernetes/client-node';
import prettyBytes from 'pretty-bytes';
import type { InstanceCluster, InstanceObjects } from '../../components/cluster-client.ts';
import { COMMANDS, CONTAINERS, NAMES } from '../../components/names.ts';
import { parseJson } from '../../sidecar/contract/parse-json.ts';
import { type SyncStatus, syncStatusSchema, type Transfer } from '../../sidecar/contract/status.ts';

/** An instance as the cluster shows it now. */

export interface LiveState {
  readonly phase: 'running' | 'starting' | 'paused' | 'absent' | 'unknown';
  /** A sentence where the phase needs one. */
  readonly reason?: string;
  /** Absent: `sync` does not answer (yet). */
  readonly sync?: SyncStatus;
  /** ISO 8601: when its StatefulSet was made. */
  readonly createdAt?: string;
  /** Newest warnings of the namespace, where something does not start. */
  readonly warnings: readonly string[];
}

const firstLine = (error: unknown) => (error as Error).message.split('\n')[0] ?? '';

const isReady = (pod: V1Pod) =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** What the objects of an instance say, without asking what runs in them. Pure. */
export function liveOf({ statefulSet, pod }: InstanceObjects): LiveState {
  if (statefulSet === undefined) return { phase: 'absent', warnings: [] };
  const made = statefulSet.metadata?.creationTimestamp;
  const common = { warnings: [], ...(made === undefined ? {} : { createdAt: new Date(made).toISOString() }) };
  if (statefulSet.spec?.replicas === 0) {
    const reason = 'the pod saves for the last time and ends';
    return { ...common, phase: 'paused', ...(pod === undefined ? {} : { reason }) };
  }
  if (pod !== undefined && isReady(pod)) return { ...common, phase: 'running' };
  return { ...common, phase: 'starting', reason: `pod: ${pod?.status?.phase ?? 'not there yet'}` };
}

/** Never throws: what cannot be asked is told as the reason. */
export async function readLive(
  open: () => InstanceCluster,
  namespace: string,
  isBrief = false,
): Promise<LiveState> {
  try {
    const cluster = open();
    const [statefulSet, pod] = await Promise.all([
      cluster.statefulSet(namespace, NAMES.statefulSet),
      cluster.pod(namespace, NAMES.pod),
    ]);
    const state = liveOf({ ...(statefulSet ? { statefulSet } : {}), ...(pod ? { pod } : {}) });
    if (isBrief) return state;
    if (state.phase === 'starting') return { ...state, warnings: await cluster.warnings(namespace) };
    return state.phase === 'running' ? { ...state, ...(await syncOf(cluster, namespace)) } : state;
  } catch (error) {
    return { phase: 'unknown', reason: firstLine(error), warnings: [] };
  }
}

async function syncOf(
  cluster: InstanceCluster,
  namespace: string,
): Promise<{ sync: SyncStatus } | { reason: string }> {
  const result = await runSync(cluster, namespace, ['status', '--json']);
  const sync = syncStatusSchema.safeParse(parseJson(result.lines.at(-1) ?? ''));
  return sync.success ? { sync: sync.data } : { reason: `sync does not answer: ${result.said}` };
}

export interface SyncRun {
  readonly code: number | undefined;
  readonly lines: readonly string[];
  /** What it says of a failure. */
  readonly said: string;
}

/** A command of `sync` in the pod. */
export async function runSync(
  cluster: InstanceCluster,
  namespace: string,
  command: readonly string[],
  onLine: (line: string) => void = () => {},
): Promise<SyncRun> {
  const lines: string[] = [];
  const target = { namespace, pod: NAMES.pod, container: CONTAINERS.sync };
  const result = await cluster.exec({ ...target, command: [COMMANDS.sync, ...command] }, (line) => {
    lines.push(line);
    onLine(line);
  });
  if (result.kind === 'lost') return { code: undefined, lines, said: result.reason };
  return { code: result.code, lines, said: result.stderr || `it ended with code ${result.code}` };
}

/** Lines for a person. Pure. */
export function describeSync(status: SyncStatus): string[] {
  const { save } = status;
  const saved =
    save.lastSavedAt === null
      ? 'never'
      : `${save.lastSavedAt}, save ${save.generation}${save.unsavedChanges ? ', changes since' : ''}`;
  return [
    `Phase      ${status.phase}${status.ready ? ', the desktop is open' : ''}`,
    `Source     ${describeTransfer(status.source)}`,
    `Project    ${describeTransfer(status.project)}`,
    `Last save  ${saved}`,
    ...(status.activity === undefined ? [] : [`In use     ${describeUse(status.activity)}`]),
    ...status.problems.map((problem) => `Problem    ${problem.message}`),
  ];
}

function describeUse({ windows, protocols, idleSeconds }: NonNullable<SyncStatus['activity']>): string {
  if (windows === null || protocols === null) return 'not known';
  const minutes = Math.floor((idleSeconds ?? 0) / 60);
  return minutes > 0 ? `not for ${minutes} min` : `${windows} windows, ${protocols} protocols`;
}

function describeTransfer(transfer: Transfer): string {
  const of = <T>(done: T, total: T | null) => (total === null ? `${done}` : `${done} of ${total}`);
  const size = (bytes: number | null) => (bytes === null ? null : prettyBytes(bytes));
  const files = `${of(transfer.filesDone, transfer.filesTotal)} files`;
  if (transfer.state === 'done') return `complete: ${transfer.filesDone} files, ${size(transfer.bytesDone)}`;
  const bytes = of(size(transfer.bytesDone), size(transfer.bytesTotal));
  const rate = transfer.bytesPerSecond === null ? '' : `, ${size(transfer.bytesPerSecond)}/s`;
  const rest = transfer.secondsLeft === null ? '' : `, ${Math.ceil(transfer.secondsLeft)} s left`;
  return `${transfer.state}: ${files}, ${bytes}${rate}${rest}`;
}
