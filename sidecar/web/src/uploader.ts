import { type BackOff, longerWaitMs } from '../../src/back-off.ts';
import { t } from './language.ts';

/** Files that this page sends into the project, part by part; what broke off goes on. */

const FILES_AT_ONCE = 2;
const MIN_PART_BYTES = 64 * 1024;
const FIRST_PART_BYTES = 1024 * 1024;
const MAX_PART_BYTES = 16 * 1024 * 1024;
/** A part is as large as the line takes in this time: the gateway waits 20 s for one. */
const PART_MS = 3000;
const AFTER_FAILURES: BackOff = { firstMs: 500, maxMs: 10_000 };
/** Without a byte for so long a file waits for its user. */
const GIVE_UP_MS = 10 * 60_000;

export interface Sending {
  readonly file: File;
  /** Where it goes in the project. */
  readonly path: string;
  /** Tells the gateway that a repeated question is about the same file of this list, and not about another one. */
  readonly attempt: string;
  state: 'waiting' | 'sending' | 'retrying' | 'paused' | 'done' | 'refused';
  sent: number;
  /** Bytes that were there already when it began. */
  resumedAt: number;
  bytesPerSecond: number | null;
  /** Its path once it is there, which has a number where the name was taken. */
  placed: string | null;
  error: string;
  abort: AbortController;
}

/** Why a part did not arrive. `isFinal`: it never will. */
class SendError extends Error {
  readonly wayOn: 'retry' | 'pause' | 'refuse';

  constructor(message: string, wayOn: SendError['wayOn']) {
    super(message);
    this.wayOn = wayOn;
  }
}

export class Uploader {
  readonly sendings: Sending[] = [];
  readonly #onChange: () => void;
  readonly #onPlaced: () => void;

  /** @param onPlaced a file has arrived in the project */
  constructor(onChange: () => void, onPlaced: () => void) {
    this.#onChange = onChange;
    this.#onPlaced = onPlaced;
  }

  get isSending(): boolean {
    return this.sendings.some(({ state }) => ['waiting', 'sending', 'retrying'].includes(state));
  }

  add(files: readonly { readonly file: File; readonly path: string }[]): void {
    for (const { file, path } of files) {
      this.sendings.push({
        file,
        path,
        attempt: crypto.randomUUID().replaceAll('-', ''),
        state: 'waiting',
        sent: 0,
        resumedAt: 0,
        bytesPerSecond: null,
        placed: null,
        error: '',
        abort: new AbortController(),
      });
    }
    this.#advance();
  }

  /** Tries a paused one again. */
  resume(sending: Sending): void {
    sending.state = 'waiting';
    sending.error = '';
    this.#advance();
  }

  /** Takes one off the list. What has come of it stays with the gateway for a week, for another try. */
  remove(sending: Sending): void {
    sending.abort.abort();
    const at = this.sendings.indexOf(sending);
    if (at >= 0) this.sendings.splice(at, 1);
    this.#advance();
  }

  #advance(): void {
    const running = this.sendings.filter(({ state }) => state === 'sending' || state === 'retrying').length;
    const next = this.sendings.filter(({ state }) => state === 'waiting').slice(0, FILES_AT_ONCE - running);
    for (const sending of next) {
      sending.state = 'sending';
      void this.#run(sending).finally(() => this.#advance());
    }
    this.#onChange();
  }

  async #run(sending: Sending): Promise<void> {
    let wait: number | undefined;
    let movedAt = performance.now();
    const onMoved = () => {
      wait = undefined;
      movedAt = performance.now();
      sending.state = 'sending';
      this.#onChange();
    };
    while (!sending.abort.signal.aborted) {
      try {
        sending.placed = await this.#send(sending, onMoved);
        sending.error = '';
        sending.state = 'done';
        this.#onPlaced();
        return;
      } catch (error) {
        if (sending.abort.signal.aborted) return;
        const wayOn = error instanceof SendError ? error.wayOn : 'retry';
        sending.error = error instanceof SendError ? error.message : t().unreachableFile;
        sending.bytesPerSecond = null;
        if (wayOn === 'refuse') sending.state = 'refused';
        else if (wayOn === 'pause' || performance.now() - movedAt > GIVE_UP_MS) sending.state = 'paused';
        else sending.state = 'retrying';
        this.#onChange();
        if (sending.state !== 'retrying') return;
        wait = longerWaitMs(wait, AFTER_FAILURES);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  /** Sends what is missing; returns the path in the project. */
  async #send(sending: Sending, onMoved: () => void): Promise<string> {
    const { file, path, attempt, abort } = sending;
    const { size, lastModified: modified } = file;
    const request = JSON.stringify({ path, size, modified, attempt });
    const begun = await ask('POST', '/uploads', abort.signal, request);
    // The answer to its last part was lost.
    if (begun.path !== undefined) {
      sending.sent = size;
      return begun.path as string;
    }
    const id = begun.id as string;
    let offset = begun.offset as number;
    if (sending.sent === 0) sending.resumedAt = offset;
    sending.sent = offset;
    let partBytes = FIRST_PART_BYTES;
    for (;;) {
      const began = performance.now();
      const part = file.slice(offset, offset + partBytes);
      const answer = await ask('PUT', `/uploads/${id}?offset=${offset}`, abort.signal, part);
      const seconds = Math.max(0.001, (performance.now() - began) / 1000);
      sending.bytesPerSecond = part.size / seconds;
      const fitting = (partBytes * PART_MS) / 1000 / seconds;
      partBytes = Math.round(Math.max(MIN_PART_BYTES, Math.min(MAX_PART_BYTES, 2 * partBytes, fitting)));
      offset = answer.offset as number;
      sending.sent = offset;
      sending.error = '';
      onMoved();
      if (answer.path !== undefined) return answer.path as string;
    }
  }
}

/** @throws SendError; the errors of `fetch` where nothing answers */
async function ask(
  method: string,
  path: string,
  signal: AbortSignal,
  body: string | Blob,
): Promise<Readonly<Record<string, unknown>>> {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
  const answer = await fetch(path, { method, body, signal, headers: { 'content-type': type } });
  const content = (await answer.json().catch(() => ({}))) as { message?: string; code?: string };
  if (answer.ok) return content as Readonly<Record<string, unknown>>;
  const text = t().answer(content.message ?? t().unreachableFile, content.code ?? '');
  const isFinal = answer.status === 400 || answer.status === 413;
  const waitsForUser = answer.status === 401 || answer.status === 507;
  throw new SendError(text, isFinal ? 'refuse' : waitsForUser ? 'pause' : 'retry');
}
