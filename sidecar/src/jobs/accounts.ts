import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { JobView } from '../../contract/job-view.ts';
import type { Asked } from './job-object.ts';
import type { Usage } from './job-state.ts';

/**
 * One line in the log for each job that has ended. Which ones have theirs is noted in the pod; a new pod may write lines
 * of jobs again whose objects are still there, so whoever adds up counts each `job` once.
 */
export class Accounts {
  readonly #file: string;
  readonly #log: Logger;
  readonly #onEnded: (view: JobView, cpuHours: number) => void;
  readonly #done: Set<string>;

  /** @param onEnded is called with each job once in the life of the pod */
  constructor(directory: string, log: Logger, onEnded: (view: JobView, cpuHours: number) => void) {
    this.#onEnded = onEnded;
    this.#file = join(directory, 'accounted');
    this.#log = log;
    this.#done = new Set(existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n') : []);
  }

  add(view: JobView, asked: Asked | undefined, usage: Usage | undefined): void {
    if (this.#done.has(view.id)) return;
    this.#done.add(view.id);
    const { id, name, startedAt, endedAt, exitCode, isCancelled, reason } = view;
    const seconds =
      startedAt === null || endedAt === null ? 0 : (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
    const cpuHoursReserved = (seconds * (asked?.cpus ?? 0)) / 3600;
    this.#onEnded(view, cpuHoursReserved);
    this.#log.info(
      {
        operation: 'account',
        job: id,
        name,
        class: view.class,
        submittedAt: view.submittedAt,
        startedAt,
        endedAt,
        seconds,
        cpus: view.cpus,
        memoryMebibytes: view.memoryMebibytes,
        cpuHoursReserved,
        ...(usage === undefined
          ? {}
          : { cpuSeconds: usage.cpuSeconds, maxMemoryBytes: usage.maxMemoryBytes }),
        exitCode,
        isCancelled,
      },
      reason,
    );
    appendFileSync(this.#file, `${id}\n`);
  }
}
