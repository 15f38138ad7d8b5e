import { Agent, request } from 'undici';
import { type JobsSummary, type JobView, jobsSummarySchema, jobViewSchema } from '../../contract/job-view.ts';
import type { JobsView } from './view.ts';

/**
 * Asks the broker of the jobs on its Unix socket. The socket lies where the desktop's programs may put another one in its
 * place, so an answer is bounded and checked as anybody's.
 */

const LOOK_EVERY_MS = 3000;
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;
/** Jobs that a page lists. */
const SHOWN = 100;

/** `code` stands for the sentence in the language of the page. */
export class JobsError extends Error {
  override readonly name = 'JobsError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class JobsClient {
  readonly #agent: Agent;
  readonly #onChange: () => void;
  /** Whether somebody sees what is found. */
  readonly #isWatched: () => boolean;
  readonly #lookEveryMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #view: JobsView = { isKnown: false, running: 0, waiting: 0 };

  constructor(
    socketPath: string,
    options: { onChange: () => void; isWatched: () => boolean; lookEveryMs?: number | undefined },
  ) {
    this.#agent = new Agent({
      connect: { socketPath, timeout: 5000 },
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
    this.#onChange = options.onChange;
    this.#isWatched = options.isWatched;
    this.#lookEveryMs = options.lookEveryMs ?? LOOK_EVERY_MS;
  }

  get view(): JobsView {
    return this.#view;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#lookEveryMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#agent.destroy();
  }

  /** Nothing is asked for while no page is open. */
  async look(): Promise<void> {
    if (this.#isLooking || !this.#isWatched()) return;
    this.#isLooking = true;
    const found = await this.#summary(0).catch(() => undefined);
    this.#isLooking = false;
    const { running, waiting } = found ?? this.#view;
    const next = { isKnown: found !== undefined, running, waiting };
    const last = this.#view;
    this.#view = next;
    if (next.isKnown !== last.isKnown || next.running !== last.running || next.waiting !== last.waiting)
      this.#onChange();
  }

  /** @throws JobsError */
  list(): Promise<JobsSummary> {
    return this.#summary(SHOWN);
  }

  /** @throws JobsError */
  async job(id: string): Promise<JobView> {
    return jobViewSchema.parse(await this.#ask('GET', `/v1/jobs/${id}`));
  }

  /** @throws JobsError */
  async cancel(id: string): Promise<void> {
    await this.#ask('POST', `/v1/jobs/${id}/cancel`, { by: 'page' });
  }

  async #summary(shown: number): Promise<JobsSummary> {
    return jobsSummarySchema.parse(await this.#ask('GET', `/v1/summary?shown=${shown}`));
  }

  async #ask(method: 'GET' | 'POST', path: string, content?: object): Promise<unknown> {
    let status: number;
    let answer: { message?: unknown; code?: unknown };
    try {
      const { statusCode, body } = await request(`http://jobs${path}`, {
        method,
        dispatcher: this.#agent,
        ...(content === undefined
          ? {}
          : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }),
      });
      status = statusCode;
      answer = ((await body.json()) ?? {}) as typeof answer;
    } catch {
      throw new JobsError(
        'jobs-silent',
        'The service of the jobs does not answer. The jobs run on; try again in a moment.',
      );
    }
    if (status < 300) return answer;
    if (answer.code === 'unknown-job') throw new JobsError('job-gone', 'There is no such job any more.');
    throw new JobsError(
      'jobs-refused',
      typeof answer.message === 'string' ? answer.message.slice(0, 500) : `It was refused (${status}).`,
    );
  }
}
