import PQueue from 'p-queue';
import type { Logger } from 'pino';
import type { JobView } from '../../contract/job-view.ts';
import { JOB_LIMITS, JOB_MARKS, type JobRequest, type JobsConfig } from '../../contract/jobs.ts';
import type { Clock } from '../clock.ts';
import { Accounts } from './accounts.ts';
import { type ApiServer, isWorthAnother, RefusedByServerError, told } from './api-server.ts';
import { JobError } from './job-error.ts';
import { type Asked, askedOf, digestOf, jobIdOf, jobNameOf, jobObject } from './job-object.ts';
import { factsOf, filesOf, usageOf, viewOf } from './job-state.ts';
import {
  type KubernetesJob,
  type KubernetesPod,
  type OwnerReference,
  slim,
  withoutSpec,
} from './kubernetes-objects.ts';
import { JobsMetrics } from './metrics.ts';

/**
 * Submits, watches and cancels the jobs of one instance. All that it knows is in the cluster: each job is found again by
 * its labels, and a submission that is made twice meets the object of its first time.
 */

export interface BrokerOptions {
  readonly config: JobsConfig;
  readonly api: ApiServer;
  readonly clock: Clock;
  readonly log: Logger;
  /** Notes which jobs are accounted for; lives as long as the pod. */
  readonly stateDirectory: string;
  /** Of the looks at the cluster. @default 2 s */
  readonly lookEveryMs?: number;
  /** A held job for which nobody waits any more is cancelled after so long. @default 2 minutes */
  readonly heldForMs?: number;
}

const LOOK_EVERY_MS = 2_000;
const HELD_FOR_MS = 120_000;
/** Submissions at a time; the API server gives others their turn too. */
const SUBMISSIONS = 6;
/** Each that waits holds its request. */
const WAITING_SUBMISSIONS = 48;
const ATTEMPTS = 4;
/** Questions for events in one look, for jobs that have no pod for a while. */
const EVENT_QUESTIONS = 5;
const NO_POD_AFTER_MS = 4_000;

interface Known {
  view: JobView;
  readonly digest: string;
}

const isOver = ({ state }: JobView) => state === 'ended';

export class Broker {
  readonly #options: BrokerOptions;
  readonly #accounts: Accounts;
  readonly metrics: JobsMetrics;
  readonly #submitting = new PQueue({ concurrency: SUBMISSIONS });
  #known = new Map<string, Known>();
  /** When somebody last waited for a held job. */
  readonly #waitedFor = new Map<string, number>();
  readonly #startedAt: number;
  #owner: OwnerReference | undefined;
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Pods of jobs that have not ended, as of the last look. */
  #pods = 0;
  /** Submissions that have a place among the active ones and are not known yet. */
  #coming = 0;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.metrics = new JobsMetrics(options.clock.now(), () => this.#views);
    this.#accounts = new Accounts(options.stateDirectory, options.log, (...args) =>
      this.metrics.ended(...args),
    );
    this.#startedAt = options.clock.monotonic();
  }

  /** Looks at the cluster until it is told to end. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, lookEveryMs = LOOK_EVERY_MS } = this.#options;
    let lastError = '';
    while (!signal.aborted) {
      try {
        await this.look();
        await this.#cancelForgotten();
        lastError = '';
      } catch (error) {
        const { message } = error as Error;
        if (message !== lastError) log.error({ error: message }, 'the jobs cannot be looked at; tried again');
        lastError = message;
      }
      await clock.sleep(lookEveryMs, signal).catch(() => undefined);
    }
  }

  /** @throws JobError */
  async submit(request: JobRequest): Promise<{ readonly view: JobView; readonly isNew: boolean }> {
    const { config } = this.#options;
    const id = jobIdOf(config.namespace, request.clientId);
    const known = this.#known.get(id);
    if (known !== undefined) return { view: sameOr(known, request), isNew: false };
    if (this.#isClosed)
      throw new JobError(
        'closed',
        'No job is taken: the instance is being closed. Submit it again after its next start.',
      );
    const jobClass = config.classes.find(({ name }) => name === request.class);
    if (jobClass === undefined)
      throw new JobError(
        'unknown-class',
        `There is no class of jobs "${printable(request.class)}"; this site has ${config.classes.map(({ name }) => name).join(', ')}.`,
      );
    const asked = askedOf(request, jobClass);
    const active = this.#views.filter((view) => !isOver(view)).length;
    if (active + this.#coming >= JOB_LIMITS.active)
      throw new JobError(
        'busy',
        `${active} jobs have not ended yet, and more than ${JOB_LIMITS.active} are not taken: wait for some, or cancel some.`,
      );
    if (this.#submitting.size >= WAITING_SUBMISSIONS)
      throw new JobError('busy', 'Many jobs are being submitted at this moment. Ask again.');
    this.#coming += 1;
    try {
      const made = await this.#submitting.add(async () => {
        this.#owner ??= await this.#findOwner();
        return this.#create(id, jobObject(config, request, { jobClass, asked, owner: this.#owner }));
      });
      const entry = this.#remember(made.job, undefined);
      if (entry === undefined) throw new JobError('internal', `The job ${id} has no labels any more.`);
      if (made.isNew)
        this.#options.log.info({ operation: 'submit', job: id, class: jobClass.name }, 'a job was submitted');
      return { view: sameOr(entry, request), isNew: made.isNew };
    } finally {
      this.#coming -= 1;
    }
  }

  /** As of the last look; what is not known there is looked up. @throws JobError `unknown-job` where the cluster says so */
  async job(id: string): Promise<JobView> {
    await this.#lookIfOld();
    const known = this.#known.get(id) ?? (await this.#find(id));
    if (known !== undefined) return known.view;
    throw new JobError(
      'unknown-job',
      `There is no job ${id}: it was never submitted here, or ended long ago.`,
    );
  }

  async jobs(): Promise<readonly JobView[]> {
    await this.#lookIfOld();
    return this.#views.toSorted((a, b) => a.submittedAt.localeCompare(b.submittedAt));
  }

  /** Answers when the job has ended, or after `seconds` as it is then. Somebody waits for it meanwhile. */
  async wait(id: string, seconds: number, signal: AbortSignal): Promise<JobView> {
    const { clock, lookEveryMs = LOOK_EVERY_MS } = this.#options;
    const end = clock.monotonic() + seconds * 1000;
    for (;;) {
      const view = await this.job(id);
      this.#waitedFor.set(id, clock.monotonic());
      if (isOver(view) || view.state === 'lost' || clock.monotonic() >= end || signal.aborted) return view;
      await clock.sleep(Math.min(lookEveryMs, 500), signal).catch(() => undefined);
    }
  }

  /** @param because completes "It was cancelled: …" */
  async cancel(id: string, because: string): Promise<JobView> {
    const { api, log, clock } = this.#options;
    const view = await this.job(id);
    if (isOver(view) || view.isCancelled) return view;
    // The job's own time-out ends its pod and leaves the object, by which the same submission is known again.
    const annotations = {
      [JOB_MARKS.cancelledAt]: new Date(clock.now()).toISOString(),
      [JOB_MARKS.cancelledBecause]: because,
    };
    const job = await api
      .patchJob(jobNameOf(id), { metadata: { annotations }, spec: { activeDeadlineSeconds: 1 } })
      .catch((error: unknown) => {
        throw told(error);
      });
    log.info({ operation: 'cancel', job: id, because }, 'a job is cancelled');
    return (this.#remember(job, undefined) ?? { view }).view;
  }

  /** From now on no job is taken; what is known stays. */
  close(): void {
    this.#isClosed = true;
  }

  open(): void {
    this.#isClosed = false;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * What still writes to the volumes, by a look that begins now. A pod counts until it has ended, whatever its job says.
   */
  async idleness(): Promise<{ readonly active: readonly JobView[]; readonly pods: number }> {
    await this.#looking?.catch(() => undefined);
    await this.look().catch((error: unknown) => {
      throw told(error);
    });
    return { active: this.#views.filter((view) => !isOver(view)), pods: this.#pods };
  }

  /** One look at a time; who comes meanwhile has the one that is under way. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookIfOld(): Promise<void> {
    const { clock, lookEveryMs = LOOK_EVERY_MS } = this.#options;
    if (clock.monotonic() - this.#lookedAt <= 2 * lookEveryMs) return;
    await this.look().catch((error: unknown) => {
      throw told(error);
    });
  }

  async #look(): Promise<void> {
    const { api, clock } = this.#options;
    const labelSelector = JOB_MARKS.id;
    const pods = new Map<string, KubernetesPod>();
    const jobs: KubernetesJob[] = [];
    let running = 0;
    // Jobs first: a pod that is listed later is as new as its job or newer.
    await api.eachJob({ labelSelector }, (job) => jobs.push(this.#slim(job)));
    await api.eachPod({ labelSelector }, (pod) => {
      const id = pod.metadata.labels?.[JOB_MARKS.id];
      if (id !== undefined) pods.set(id, slim(pod));
      if (!['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')) running += 1;
    });
    this.#pods = running;
    const events = await this.#eventsOf(jobs, pods);
    const before = this.#known;
    this.#known = new Map();
    for (const job of jobs) {
      const id = job.metadata.labels?.[JOB_MARKS.id] ?? '';
      const entry = this.#remember(job, pods.get(id), { event: events.get(id), earlier: before.get(id) });
      if (entry !== undefined && isOver(entry.view)) this.#account(job, entry.view, pods.get(id));
    }
    // Made while this look was under way.
    const isYoung = ({ submittedAt }: JobView) => clock.now() - Date.parse(submittedAt) < 60_000;
    for (const [id, entry] of before)
      if (!this.#known.has(id) && isYoung(entry.view) && !isOver(entry.view)) this.#known.set(id, entry);
    for (const id of this.#waitedFor.keys()) if (!this.#known.has(id)) this.#waitedFor.delete(id);
    this.#lookedAt = clock.monotonic();
  }

  /** What keeps jobs from having a pod, e.g. the quota: only events say it. */
  async #eventsOf(jobs: readonly KubernetesJob[], pods: ReadonlyMap<string, KubernetesPod>) {
    const { api, clock } = this.#options;
    const found = new Map<string, string>();
    const isStuck = ({ metadata, status }: KubernetesJob) =>
      (status?.conditions ?? []).length === 0 &&
      !pods.has(metadata.labels?.[JOB_MARKS.id] ?? '') &&
      clock.now() - Date.parse(metadata.creationTimestamp ?? '') > NO_POD_AFTER_MS;
    for (const { metadata } of jobs.filter(isStuck).slice(0, EVENT_QUESTIONS)) {
      const last = (await api.events('Job', metadata.name)).at(-1);
      if (last !== undefined) found.set(metadata.labels?.[JOB_MARKS.id] ?? '', last);
    }
    return found;
  }

  get #views(): readonly JobView[] {
    return [...this.#known.values()].map(({ view }) => view);
  }

  #slim(job: KubernetesJob): KubernetesJob {
    const known = this.#known.get(job.metadata.labels?.[JOB_MARKS.id] ?? '')?.view;
    return withoutSpec(job, known ?? filesOf(job));
  }

  #remember(
    job: KubernetesJob,
    pod: KubernetesPod | undefined,
    { event, earlier }: { event?: string | undefined; earlier?: Known | undefined } = {},
  ): Known | undefined {
    const facts = factsOf(job);
    if (facts === undefined) return undefined;
    const { view: before } = earlier ?? this.#known.get(facts.id) ?? {};
    const view = viewOf(job, pod, { now: this.#options.clock.now(), event, earlier: before });
    if (view === undefined) return undefined;
    const entry = { view, digest: facts.digest };
    this.#known.set(view.id, entry);
    return entry;
  }

  /** The object of a job, made or met. */
  async #create(id: string, object: object): Promise<{ job: KubernetesJob; isNew: boolean }> {
    const { api, clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { job: this.#slim(await api.createJob(object)), isNew: true };
      } catch (error) {
        if (error instanceof RefusedByServerError && error.status === 409) {
          const met = await this.#named(jobNameOf(id)).catch((cause: unknown) => {
            throw told(cause);
          });
          if (met !== undefined) return { job: met, isNew: false };
          // Gone between the two questions; it is made again, as if it had never been.
        } else if (!isWorthAnother(error) || attempt >= ATTEMPTS) throw told(error);
        if (attempt >= ATTEMPTS) throw told(error);
        await clock.sleep(200 * 2 ** attempt);
      }
    }
  }

  async #named(name: string): Promise<KubernetesJob | undefined> {
    let found: KubernetesJob | undefined;
    await this.#options.api.eachJob({ fieldSelector: `metadata.name=${name}` }, (job) => {
      found = this.#slim(job);
    });
    return found;
  }

  async #find(id: string): Promise<Known | undefined> {
    const job = await this.#named(jobNameOf(id)).catch((error: unknown) => {
      throw told(error);
    });
    return job === undefined ? undefined : this.#remember(job, undefined);
  }

  /** Of the instance's own pod: with the StatefulSet its jobs go. */
  async #findOwner(): Promise<OwnerReference> {
    const { api, config } = this.#options;
    let owner: OwnerReference | undefined;
    await api
      .eachPod({ fieldSelector: `metadata.name=${config.pod}` }, ({ metadata }) => {
        owner = metadata.ownerReferences?.find(({ kind }) => kind === 'StatefulSet');
      })
      .catch((error: unknown) => {
        throw told(error);
      });
    if (owner === undefined)
      throw new JobError(
        'unavailable',
        `The pod ${config.pod} of the instance has no StatefulSet, which jobs would belong to. Try again.`,
      );
    // Without the marks of a controller: it is not the StatefulSet that makes their pods.
    const { apiVersion, kind, name, uid } = owner;
    return { apiVersion, kind, name, uid };
  }

  async #cancelForgotten(): Promise<void> {
    const { clock, heldForMs = HELD_FOR_MS, log } = this.#options;
    for (const { view } of [...this.#known.values()]) {
      if (!view.isHeld || isOver(view) || view.isCancelled) continue;
      const since = this.#waitedFor.get(view.id) ?? Math.max(this.#startedAt, this.#submittedAt(view));
      if (clock.monotonic() - since < heldForMs) continue;
      await this.cancel(view.id, 'the program that waited for it is gone').catch((error: unknown) =>
        log.warn(
          { job: view.id, error: (error as Error).message },
          'a job for which nobody waits cannot be cancelled',
        ),
      );
    }
  }

  /** On the clock that nobody sets. */
  #submittedAt({ submittedAt }: JobView): number {
    const { clock } = this.#options;
    return clock.monotonic() - Math.max(0, clock.now() - Date.parse(submittedAt));
  }

  #account(job: KubernetesJob, view: JobView, pod: KubernetesPod | undefined): void {
    const asked: Asked | undefined = factsOf(job)?.asked;
    this.#accounts.add(view, asked, usageOf(pod));
  }
}

function sameOr({ view, digest }: Known, request: JobRequest): JobView {
  if (digest === digestOf(request)) return view;
  throw new JobError(
    'conflict',
    `The job ${view.id} was submitted with the same clientId and another content. Draw a new clientId for each submission.`,
  );
}

const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 63);
