import * as z from 'zod';
import type { JobView, JobWhy } from '../../contract/job-view.ts';
import { JOB_MARKS } from '../../contract/jobs.ts';
import type { Asked } from './job-object.ts';
import type { JobFiles, KubernetesJob, KubernetesPod } from './kubernetes-objects.ts';

/** What a job and its pod say, as one answer. In doubt a job is running: Scipion never looks again once it was told "ended". */

/** What stays the same of a job. */
export interface JobFacts {
  readonly id: string;
  readonly name: string;
  readonly class: string;
  readonly isHeld: boolean;
  readonly digest: string;
  readonly asked: Asked;
}

const askedSchema = z.object({ cpus: z.number(), memoryMebibytes: z.number(), seconds: z.number() });
const NOTHING_ASKED: Asked = { cpus: 0, memoryMebibytes: 0, seconds: 0 };

export function factsOf({ metadata }: KubernetesJob): JobFacts | undefined {
  const { labels = {}, annotations = {} } = metadata;
  const id = labels[JOB_MARKS.id];
  if (id === undefined) return undefined;
  const asked = askedSchema.safeParse(parseOr(annotations[JOB_MARKS.asked]));
  return {
    id,
    name: annotations[JOB_MARKS.name] ?? '',
    class: labels[JOB_MARKS.class] ?? '',
    isHeld: labels[JOB_MARKS.held] === 'true',
    digest: annotations[JOB_MARKS.digest] ?? '',
    asked: asked.success ? asked.data : NOTHING_ASKED,
  };
}

const filesSchema = z.object({ output: z.string().optional(), errors: z.string().optional() });

/** Where its output goes; a request is long, so this is asked once for each job. */
export function filesOf({ files, spec }: KubernetesJob): JobFiles {
  if (files !== undefined) return files;
  const request = filesSchema.safeParse(parseOr(spec?.template?.metadata?.annotations?.[JOB_MARKS.request]));
  const { output = null, errors = output } = request.data ?? {};
  return { output, errors };
}

/** A sentence, what stands for it, and the part of it that is not ours. */
type Said = Pick<JobView, 'why' | 'reason' | 'detail'>;
const say = (why: JobWhy, reason: string, detail = ''): Said => ({
  why,
  reason: `${reason}${detail}`,
  detail,
});

/** A node that does not answer keeps its pod in the list; its own time-out is over when the pod was told to go, and then some. */
const LOST_AFTER_MS = 120_000;

interface Beside {
  readonly now: number;
  /** What the cluster last complained of, while there is no pod. */
  readonly event?: string | undefined;
  /** What was said of it before: the pod of a job whose time is over, or that was cancelled, is gone when it has ended. */
  readonly earlier?: JobView | undefined;
}

export function viewOf(
  job: KubernetesJob,
  pod: KubernetesPod | undefined,
  { now, event, earlier }: Beside,
): JobView | undefined {
  const facts = factsOf(job);
  if (facts === undefined) return undefined;
  const { metadata, status = {} } = job;
  const cancelled = metadata.annotations?.[JOB_MARKS.cancelledBecause];
  const ran = pod?.status?.containerStatuses?.[0]?.state;
  const end = endOf(job);
  const base = {
    id: facts.id,
    name: facts.name,
    class: facts.class,
    isCancelled: cancelled !== undefined,
    isHeld: facts.isHeld,
    cpus: facts.asked.cpus,
    memoryMebibytes: facts.asked.memoryMebibytes,
    submittedAt: metadata.creationTimestamp ?? '',
    startedAt: ran?.running?.startedAt ?? ran?.terminated?.startedAt ?? earlier?.startedAt ?? null,
    endedAt: null,
    node: pod?.spec?.nodeName ?? earlier?.node ?? null,
    exitCode: null,
    ...filesOf(job),
    used: usageOf(pod) ?? null,
  };
  if (end !== undefined) {
    const exitCode = end.isComplete ? 0 : (ran?.terminated?.exitCode ?? null);
    const endedAt = ran?.terminated?.finishedAt ?? status.completionTime ?? end.at ?? null;
    return { ...base, state: 'ended', exitCode, endedAt, ...endReason(end, ran, pod, cancelled) };
  }
  if (cancelled !== undefined)
    return { ...base, state: 'running', ...say('cancelling', 'It is being cancelled: ', cancelled) };
  if (pod === undefined) return { ...base, state: 'pending', ...withoutPod(event) };
  if (isLost(pod, now)) return { ...base, state: 'lost', ...silent(base.node) };
  // A pod that has ended is not the end yet: the job's own word comes after it, and only that is certain.
  if (ran?.running !== undefined || ran?.terminated !== undefined)
    return { ...base, state: 'running', ...say('running', '') };
  return { ...base, state: 'pending', ...waitingFor(pod) };
}

const withoutPod = (event: string | undefined): Said =>
  event === undefined
    ? say('no-pod', 'Waiting for its pod to be made.')
    : say('pod-refused', 'Its pod cannot be made: ', event);

const silent = (node: string | null): Said => ({
  why: 'node-silent',
  reason: `Its node ${node} does not answer any more, so what became of it is not known.`,
  detail: node ?? '',
});

interface End {
  readonly isComplete: boolean;
  readonly reason: string;
  readonly message: string;
  readonly at: string | undefined;
}

function endOf({ status }: KubernetesJob): End | undefined {
  const found = status?.conditions?.find(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  if (found === undefined) return undefined;
  const { type, reason = '', message = '', lastTransitionTime: at } = found;
  return { isComplete: type === 'Complete', reason, message, at };
}

type Ran = NonNullable<
  NonNullable<NonNullable<KubernetesPod['status']>['containerStatuses']>[number]['state']
>;

function endReason(end: End, ran: Ran | undefined, pod: KubernetesPod | undefined, cancelled?: string): Said {
  if (cancelled !== undefined) return say('cancelled', 'It was cancelled: ', cancelled);
  if (end.isComplete) return say('done', 'It came to its end.');
  if (end.reason === 'DeadlineExceeded')
    return say('out-of-time', 'It was ended since its time was over: ask for more hours, or another class.');
  if (ran?.terminated?.reason === 'OOMKilled')
    return say(
      'out-of-memory',
      'It was ended since it took more memory than it has: ask for more, or another class.',
    );
  if (pod?.status?.reason === 'Evicted')
    return say('evicted', 'The node put it out: ', pod.status.message ?? '');
  const disrupted = pod?.status?.conditions?.find(
    ({ type, status }) => type === 'DisruptionTarget' && status === 'True',
  );
  if (disrupted !== undefined)
    return say('disrupted', 'The cluster ended it: ', disrupted.message ?? disrupted.reason ?? '');
  if (ran?.terminated !== undefined) {
    const { exitCode } = ran.terminated;
    return { why: 'failed', reason: `Its command ended with code ${exitCode}.`, detail: String(exitCode) };
  }
  return say('pod-gone', 'Its pod is gone: ', end.message || end.reason);
}

function isLost({ metadata, status }: KubernetesPod, now: number): boolean {
  if (status?.phase === 'Unknown') return true;
  const told = metadata.deletionTimestamp === undefined ? Number.NaN : Date.parse(metadata.deletionTimestamp);
  return now - told > LOST_AFTER_MS;
}

function waitingFor({ status }: KubernetesPod): Said {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  if (waiting?.reason !== undefined && waiting.reason !== 'ContainerCreating') {
    const reason = `Its pod cannot start (${waiting.reason}): ${waiting.message ?? ''}`;
    return { why: 'cannot-start', reason, detail: `${waiting.reason}: ${waiting.message ?? ''}` };
  }
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False')
    return say('no-room', 'No node has room for it yet: ', scheduled.message ?? '');
  return say('starting', 'Its pod is starting.');
}

const usageSchema = z.object({ cpuSeconds: z.number().min(0), maxMemoryBytes: z.number().min(0) });
export type Usage = z.infer<typeof usageSchema>;

/** What the pod says of itself at its end; whoever ran in it may have written anything. */
export function usageOf(pod: KubernetesPod | undefined): Usage | undefined {
  const text = pod?.status?.containerStatuses?.[0]?.state?.terminated?.message;
  return usageSchema.safeParse(parseOr(text)).data;
}

function parseOr(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
