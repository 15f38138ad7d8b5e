import * as z from 'zod';
import { jobViewSchema } from '../../../contract/jobs.ts';
import { RequestError } from '../sync-errors.ts';
import { ask } from './api-client.ts';

/** Jobs write to the project volume as the desktop does: a drain closes them before it saves, and proves that none is left. */

/** Jobs have not ended, or nobody can say whether they have. Nothing was changed. */
export class JobsRunningError extends RequestError {}

const idlenessSchema = z.object({ active: z.array(jobViewSchema), pods: z.int().min(0) });

const NAMED = 3;

export class JobsGate {
  readonly #socket: string | null;

  /** @param socket of the broker; null: the instance has no jobs */
  constructor(socket: string | null) {
    this.#socket = socket;
  }

  /** No job is taken from here on. @throws JobsRunningError where some have not ended; they are taken again then */
  async close(): Promise<void> {
    if (this.#socket === null) return;
    await this.#ask('POST', '/v1/close');
    await this.assertIdle().catch(async (error: unknown) => {
      await this.open();
      throw error;
    });
  }

  /** @throws JobsRunningError unless the cluster says, now, that no pod of a job is left */
  async assertIdle(): Promise<void> {
    if (this.#socket === null) return;
    const { active, pods } = idlenessSchema.parse(await this.#ask('GET', '/v1/idleness'));
    if (active.length === 0 && pods === 0) return;
    const names = active.slice(0, NAMED).map(({ id, name }) => `${id} (${name})`);
    const which =
      names.length === 0 ? '' : `: ${names.join(', ')}${active.length > NAMED ? ' and others' : ''}`;
    throw new JobsRunningError(
      `${Math.max(active.length, pods)} jobs of the instance have not ended${which}. Wait for them, or cancel them (in the desktop: stop their runs, or scipion-job cancel NUMBER), then close the instance again`,
    );
  }

  /** Best effort: a broker that starts again takes jobs anyhow. */
  async open(): Promise<void> {
    if (this.#socket !== null) await this.#ask('POST', '/v1/open').catch(() => undefined);
  }

  async #ask(method: 'GET' | 'POST', path: string): Promise<unknown> {
    try {
      return await ask(this.#socket ?? '', method, path);
    } catch (cause) {
      throw new JobsRunningError(
        `Whether jobs of the instance still write to the project is not known: ${(cause as Error).message.replaceAll('sync does', 'the broker of the jobs does')}. Try again in a minute`,
        { cause },
      );
    }
  }
}
