import * as z from 'zod';
import { describeSync } from '../../automation/fleet/live.ts';
import { type SyncStatus, syncStatusSchema } from '../../sidecar/contract/status.ts';
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
