import { Counter, Gauge, Registry } from 'prom-client';
import type { JobView } from '../../contract/job-view.ts';
import { addBuildInfo } from '../build-info.ts';
import { countJobs } from './summary.ts';

/**
 * Numbers for Prometheus. No label holds a name of a user, a run or a file. Without those of the process that `sync` and
 * `gateway` have: the broker's memory is counted in mebibytes.
 */
export class JobsMetrics {
  readonly registry = new Registry();
  readonly #startedAt: number;
  readonly #ended: Counter<'result'>;
  readonly #cpuHours: Counter;

  /** @param now in ms since 1970 @param jobs all that are known */
  constructor(now: number, jobs: () => readonly JobView[]) {
    const registers = [this.registry];
    this.#startedAt = now;
    addBuildInfo(this.registry, 'jobs');
    new Gauge({
      name: 'scipion_jobs',
      help: 'Jobs that have not ended, by state: waiting, running (also where nobody can say).',
      labelNames: ['state'] as const,
      registers,
      collect() {
        const { waiting, running } = countJobs(jobs());
        this.set({ state: 'waiting' }, waiting);
        this.set({ state: 'running' }, running);
      },
    });
    this.#ended = new Counter({
      name: 'scipion_jobs_ended_total',
      help: 'Jobs that ended since the broker started, by result: done, failed, cancelled.',
      labelNames: ['result'] as const,
      registers,
    });
    for (const result of ['done', 'failed', 'cancelled']) this.#ended.inc({ result }, 0);
    this.#cpuHours = new Counter({
      name: 'scipion_jobs_cpu_hours_reserved_total',
      help: 'CPUs times hours that the jobs had which ended since the broker started.',
      registers,
    });
  }

  /** Each job once. One that ended before this process may have been counted by the one before. */
  ended(view: JobView, cpuHours: number): void {
    if (view.endedAt === null || Date.parse(view.endedAt) < this.#startedAt) return;
    this.#ended.inc({ result: view.isCancelled ? 'cancelled' : view.exitCode === 0 ? 'done' : 'failed' });
    this.#cpuHours.inc(Math.max(0, cpuHours));
  }
}
