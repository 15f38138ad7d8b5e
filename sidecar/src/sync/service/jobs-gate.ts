import type { Logger } from 'pino';
import * as z from 'zod';
import { type JobView, jobViewSchema } from '../../../contract/job-view.ts';
import type { JobsAtEnd } from '../../../contract/jobs.ts';
import type { Clock } from '../../clock.ts';
import { RequestError } from '../sync-errors.ts';
import { ask } from './api-client.ts';
import type { Lifetime } from './lifetime.ts';
import type { StatusBoard } from './status-board.ts';

/** Jobs write to the project volume as the desktop does: a drain closes them before it saves, and proves that none is left. */

/** Jobs have not ended, or nobody can say whether they have. Nothing was changed. */
export class JobsRunningError extends RequestError {}

const idlenessSchema = z.object({ active: z.array(jobViewSchema), pods: z.int().min(0) });
type Idleness = z.infer<typeof idlenessSchema>;

const NAMED = 3;
const LOOK_EVERY_MS = 2_000;
/** Who closed the jobs for a pause and was never heard of again has given it up. */
const REOPEN_MS = 10 * 60_000;

export interface JobsGateOptions {
  /** Of the broker; null: the instance has no jobs. */
  readonly socket: string | null;
  readonly board: StatusBoard;
  readonly lifetime: Lifetime;
  readonly clock: Clock;
  readonly log: Logger;
}

export class JobsGate {
  readonly #options: JobsGateOptions;
  #reopening: NodeJS.Timeout | undefined;

  constructor(options: JobsGateOptions) {
    this.#options = options;
  }

  /**
   * No job is taken from here on, and none is left.
   * @throws JobsRunningError where some have not ended within the time, or at once; they are taken again then
   */
  async close({ choice, waitSeconds }: JobsAtEnd): Promise<void> {
    const { socket, board, clock, lifetime } = this.#options;
    if (socket === null) return;
    clearTimeout(this.#reopening);
    const until = clock.monotonic() + (choice === 'refuse' ? 0 : waitSeconds * 1000);
    try {
      for (;;) {
        const left = await this.#closeAndLook().catch((error: unknown) => {
          // A broker that starts again is back in a moment; it takes jobs then, so it is closed once more.
          if (clock.monotonic() >= until) throw error;
          return undefined;
        });
        if (left !== undefined && isIdle(left)) return;
        if (clock.monotonic() >= until && left !== undefined) throw stillThere(left, choice, waitSeconds);
        if (choice === 'cancel') await this.#cancel(left?.active ?? []);
        if (left !== undefined) this.#tell(left, choice, until - clock.monotonic());
        await lifetime.pause(LOOK_EVERY_MS, lifetime.stopped);
        if (lifetime.stopped.aborted) throw new JobsRunningError('sync is ending; jobs have not ended');
      }
    } catch (error) {
      await this.open();
      throw error;
    } finally {
      board.withdraw('jobs-awaited');
    }
  }

  /** For a pause, whose end of the pod comes next; where it does not come, jobs are taken again. */
  async closeForPause(atEnd: JobsAtEnd): Promise<void> {
    await this.close(atEnd);
    this.#reopening = setTimeout(() => void this.open(), REOPEN_MS);
    this.#reopening.unref();
  }

  /** @throws JobsRunningError unless the cluster says, now, that no pod of a job is left */
  async assertIdle(): Promise<void> {
    if (this.#options.socket === null) return;
    const left = await this.#look();
    if (!isIdle(left)) throw stillThere(left, 'refuse', 0);
  }

  /** Best effort: a broker that starts again takes jobs anyhow. */
  async open(): Promise<void> {
    clearTimeout(this.#reopening);
    if (this.#options.socket !== null) await this.#ask('POST', '/v1/open').catch(() => undefined);
  }

  async #closeAndLook(): Promise<Idleness> {
    await this.#ask('POST', '/v1/close');
    return this.#look();
  }

  async #look(): Promise<Idleness> {
    return idlenessSchema.parse(await this.#ask('GET', '/v1/idleness'));
  }

  /** What cannot be cancelled now is tried again with the next look. */
  async #cancel(active: readonly JobView[]): Promise<void> {
    const { log } = this.#options;
    for (const { id } of active.filter(({ isCancelled }) => !isCancelled))
      await this.#ask('POST', `/v1/jobs/${id}/cancel`, { by: 'end' }).catch((error: unknown) =>
        log.warn({ job: id, error: (error as Error).message }, 'a job cannot be cancelled; tried again'),
      );
  }

  #tell(left: Idleness, choice: JobsAtEnd['choice'], leftMs: number): void {
    const { board, clock } = this.#options;
    const doing = choice === 'cancel' ? 'is being closed and has cancelled its jobs' : 'is being closed';
    board.advise({
      code: 'jobs-awaited',
      message: `This instance ${doing}: it waits for ${counted(left)} to end, saves everything, and closes. No new job is taken.`,
      at: new Date(clock.now() + Math.max(0, leftMs)).toISOString(),
    });
  }

  async #ask(method: 'GET' | 'POST', path: string, body?: Record<string, unknown>): Promise<unknown> {
    try {
      return await ask(this.#options.socket ?? '', method, path, body);
    } catch (cause) {
      throw new JobsRunningError(
        `Whether jobs of the instance still write to the project is not known: ${(cause as Error).message.replaceAll('sync does', 'the broker of the jobs does')}. Try again in a minute`,
        { cause },
      );
    }
  }
}

const isIdle = ({ active, pods }: Idleness): boolean => active.length === 0 && pods === 0;

function counted({ active, pods }: Idleness): string {
  const count = Math.max(active.length, pods);
  return count === 1 ? '1 job' : `${count} jobs`;
}

function stillThere(left: Idleness, choice: JobsAtEnd['choice'], waitSeconds: number): JobsRunningError {
  const { active, pods } = left;
  const names = active.slice(0, NAMED).map(({ id, name }) => `${id} (${name})`);
  const which =
    names.length === 0 ? '' : `: ${names.join(', ')}${active.length > NAMED ? ' and others' : ''}`;
  const waited = choice === 'refuse' ? '' : ` after ${waitSeconds} s`;
  const have = Math.max(active.length, pods) === 1 ? 'has' : 'have';
  return new JobsRunningError(
    `${counted(left)} of the instance ${have} not ended${waited}${which}. Nothing was closed, and the jobs run on. Wait for them, or cancel them (on the page, or scipion-job cancel NUMBER in the desktop), then try again; or let this be done: scipion:jobsAtRemoval wait, or cancel`,
  );
}
