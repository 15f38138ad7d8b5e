import { createParser } from 'eventsource-parser';
import { Agent, type Dispatcher, request } from 'undici';
import {
  problemCodeSchema,
  STATUS_EVERY_MS,
  type SyncStatus,
  syncStatusSchema,
} from '../../contract/status.ts';
import type { SyncReachability } from './view.ts';

/** Nothing heard for this long: ask again, in case the other side hangs. If it is silent then, too, it does. */
const SILENCE_MS = 2 * STATUS_EVERY_MS;
const RETRY_MS = 1000;
const POLL_MS = 2000;
const SAVE_ANSWER_MS = 15_000;

/** What `sync` answered to a request. */
export type AskResult =
  /** `isDone`: not only begun. `content`: the answer, JSON. */
  | { readonly accepted: true; readonly isDone: boolean; readonly content: string }
  /** In a sentence, and by a code that stands for it: one of a problem, or `sync-silent`, `sync-refused`. */
  | { readonly accepted: false; readonly message: string; readonly code: string };

class NoEventsError extends Error {}
/** Of a stream that has spoken: it is only opened again, and whether `sync` is gone shows then. */
class SilenceError extends Error {}

/**
 * Follows `sync` on its Unix socket: by its event stream, by polling while there is none. Goes on for ever; `sync`
 * may come later, end and come back.
 */
export class SyncClient {
  readonly #agent: Agent;
  readonly #onChange: () => void;
  readonly #silenceMs: number;
  readonly #stop = new AbortController();
  #reachability: SyncReachability = 'starting';
  #status: SyncStatus | null = null;

  constructor(socketPath: string, onChange: () => void, silenceMs = SILENCE_MS) {
    this.#agent = new Agent({ connect: { socketPath, timeout: 5000 } });
    this.#onChange = onChange;
    this.#silenceMs = silenceMs;
  }

  get reachability(): SyncReachability {
    return this.#reachability;
  }

  get status(): SyncStatus | null {
    return this.#status;
  }

  /** Ends when `close` is called. */
  async follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const hasEvents = await this.#follow();
      await pause(hasEvents ? RETRY_MS : POLL_MS, signal);
    }
  }

  /** Until the stream ends; false: there was none this time. */
  async #follow(): Promise<boolean> {
    try {
      await this.#followEvents();
    } catch (error) {
      if (error instanceof NoEventsError) {
        await this.#poll().catch(() => this.#lost());
        return false;
      }
      if (!(error instanceof SilenceError)) this.#lost();
    }
    return true;
  }

  /** Asks for a save at once; the progress comes with the status. */
  saveNow(): Promise<AskResult> {
    return this.ask('/v1/save');
  }

  /** Asks for something whose outcome comes with the status. */
  ask(
    path: string,
    content?: Readonly<Record<string, unknown>>,
    answerMs = SAVE_ANSWER_MS,
  ): Promise<AskResult> {
    return this.#ask('POST', path, answerMs, content);
  }

  /** Asks for something that `sync` knows. */
  get(path: string): Promise<AskResult> {
    return this.#ask('GET', path, SAVE_ANSWER_MS);
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    answerMs: number,
    content?: Readonly<Record<string, unknown>>,
  ): Promise<AskResult> {
    try {
      const { statusCode, body } = await this.#request(method, path, answerMs, content);
      const text = await body.text();
      if (statusCode < 300) return { accepted: true, isDone: statusCode !== 202, content: text };
      return {
        accepted: false,
        message: sentenceOf(text) ?? `The data service refused it (${statusCode}).`,
        code: codeOf(text),
      };
    } catch {
      return {
        accepted: false,
        message:
          'The data service does not answer, so nothing was done now. Saving is tried again on its own.',
        code: 'sync-silent',
      };
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#agent.destroy();
  }

  #request(
    method: 'GET' | 'POST',
    path: string,
    bodyTimeout: number,
    content?: unknown,
  ): Promise<Dispatcher.ResponseData> {
    return request(`http://sync${path}`, {
      method,
      dispatcher: this.#agent,
      signal: this.#stop.signal,
      bodyTimeout,
      headersTimeout: Math.max(bodyTimeout, this.#silenceMs),
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
      headers: {
        accept: path.endsWith('events') ? 'text/event-stream' : 'application/json',
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      },
    });
  }

  async #followEvents(): Promise<void> {
    const { statusCode, headers, body } = await this.#request('GET', '/v1/events', this.#silenceMs);
    if (statusCode !== 200 || !String(headers['content-type']).startsWith('text/event-stream')) {
      await body.dump();
      throw new NoEventsError(`status ${statusCode}`);
    }
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (event === 'status') this.#accept(data);
      },
    });
    const decoder = new TextDecoder();
    let isHeard = false;
    try {
      for await (const chunk of body) {
        isHeard = true;
        parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
      }
    } catch (error) {
      throw isHeard && isTimeout(error) ? new SilenceError() : error;
    }
    this.#lost();
  }

  async #poll(): Promise<void> {
    const { statusCode, body } = await this.#request('GET', '/v1/status', this.#silenceMs);
    const text = await body.text();
    if (statusCode === 200) this.#accept(text);
    else this.#lost();
  }

  #accept(text: string): void {
    const parsed = syncStatusSchema.safeParse(JSON.parse(text));
    if (!parsed.success) {
      this.#lost();
      return;
    }
    this.#status = parsed.data;
    this.#reachability = 'up';
    this.#onChange();
  }

  #lost(): void {
    if (this.#reachability !== 'up') return;
    this.#reachability = 'down';
    this.#onChange();
  }
}

const isTimeout = (error: unknown) => (error as { code?: string }).code === 'UND_ERR_BODY_TIMEOUT';

function sentenceOf(text: string): string | undefined {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    return [message, error].find((value) => typeof value === 'string');
  } catch {
    return undefined;
  }
}

/** `internal` stands for anything, so its message alone says what it is. */
function codeOf(text: string): string {
  try {
    const code = problemCodeSchema.parse((JSON.parse(text) as { code?: unknown }).code);
    return code === 'internal' ? 'sync-refused' : code;
  } catch {
    return 'sync-refused';
  }
}

/** Resolves after `ms`, or at once when `signal` aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
