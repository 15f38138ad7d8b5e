import prettyBytes from 'pretty-bytes';
import * as z from 'zod';
import { type SyncStatus, syncStatusSchema, type Transfer } from '../../sidecar/contract/status.ts';
import { kubectl, type Target } from './target.ts';

const POD = 'scipion-0';

const podSchema = z.object({
  status: z.object({
    phase: z.string().optional(),
    conditions: z
      .array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() }))
      .default([]),
  }),
});

/** Lines about an instance for a person: the pod, what `sync` does, what is wrong. */
export async function instanceStatus(target: Target, namespace: string): Promise<string[]> {
  const found = await kubectl(target, [
    ...['get', 'pod', POD, '--namespace', namespace],
    ...['--ignore-not-found', '--output', 'json'],
  ]);
  if (found.trim() === '') return ['Pod        none', ...(await recentEvents(target, namespace))];
  const { status } = podSchema.parse(JSON.parse(found));
  const isReady = status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  const pod = `Pod        ${status.phase ?? 'unknown'}, ${isReady ? 'ready' : 'not ready yet'}`;
  const sync = await syncStatus(target, namespace);
  if (typeof sync === 'string')
    return [pod, `Data       ${sync}`, ...(await recentEvents(target, namespace))];
  return [pod, ...describeSync(sync)];
}

/** The status of `sync`, or why there is none. */
async function syncStatus(target: Target, namespace: string): Promise<SyncStatus | string> {
  const command = ['exec', '--namespace', namespace, POD, '--container', 'sync', '--'];
  try {
    const json = await kubectl(target, [...command, '/usr/local/bin/sync', 'status', '--json']);
    return syncStatusSchema.parse(JSON.parse(json));
  } catch (error) {
    return `sync does not answer: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** Pure. */
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
    ...status.problems.map((problem) => `Problem    ${problem.message}`),
  ];
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

/** Without a pod, or with one that does not start, the reason is in the namespace's warnings. */
async function recentEvents(target: Target, namespace: string): Promise<string[]> {
  const text = await kubectl(target, [
    ...['get', 'events', '--namespace', namespace, '--field-selector', 'type=Warning'],
    ...[
      '--sort-by=.lastTimestamp',
      '--output',
      'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}',
    ],
  ]);
  const lines = [...new Set(text.split('\n').filter(Boolean))];
  return lines.slice(-5).map((line) => `Event      ${line}`);
}
