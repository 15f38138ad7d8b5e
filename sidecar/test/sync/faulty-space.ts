import { type Content, type Space, SpaceError } from '../../src/spaces/space.ts';

/** The run ends here, as by SIGKILL: nothing after this point happens. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

export type FaultKind =
  /** The call fails and has done nothing. */
  | 'before'
  /** The call is done, its answer is lost. */
  | 'after'
  /** A write or a read breaks off half-way. */
  | 'half'
  /** As `before` and `after`, and every later call fails too: the process is gone. */
  | 'crash-before'
  | 'crash-after';

const ASYNC_CALLS = [
  'check',
  'copy',
  'stat',
  'readSymlink',
  'makeDirectory',
  'makeSymlink',
  'move',
  'removeFile',
  'removeEmptyDirectory',
  'removeTree',
] as const;

/** Counts the calls of a space and makes one of them fail. */
export class FaultySpace {
  readonly space: Space;
  calls = 0;
  fired = false;
  #dead = false;
  readonly #inner: Space;
  readonly #at: number;
  readonly #kind: FaultKind;

  /** @param at number of the call that fails, from 1; 0: none */
  constructor(inner: Space, at: number, kind: FaultKind) {
    this.#inner = inner;
    this.#at = at;
    this.#kind = kind;
    const calls: Record<string, unknown> = {};
    for (const name of ASYNC_CALLS) {
      calls[name] = (...args: never[]) =>
        this.#call(() =>
          (inner[name] as unknown as (...all: never[]) => Promise<unknown>).apply(inner, args),
        );
    }
    this.space = {
      ...(calls as unknown as Space),
      identity: inner.identity,
      capabilities: inner.capabilities,
      list: (directory) => this.#stream(() => inner.list(directory)),
      read: (file, options) => this.#stream(() => inner.read(file, options)),
      write: (path, content) => this.#write(path, content),
      ...(inner.writePart === undefined
        ? {}
        : {
            writePart: (...part: Parameters<NonNullable<Space['writePart']>>) =>
              this.#call(async () => inner.writePart?.(...part)),
          }),
      close: () => inner.close(),
    };
  }

  #strike(): boolean {
    if (this.#dead) throw new Crash('the process is gone');
    this.calls += 1;
    if (this.calls !== this.#at) return false;
    this.fired = true;
    if (this.#kind.startsWith('crash')) this.#dead = true;
    return true;
  }

  #failure(): Error {
    return this.#kind.startsWith('crash')
      ? new Crash('killed')
      : new SpaceError('unavailable', 'injected fault');
  }

  async #call<T>(action: () => Promise<T>): Promise<T> {
    if (!this.#strike()) return action();
    if (this.#kind === 'after' || this.#kind === 'crash-after') await action();
    throw this.#failure();
  }

  async *#stream<T>(open: () => AsyncIterable<T>): AsyncIterable<T> {
    if (!this.#strike()) {
      yield* open();
      return;
    }
    if (this.#kind === 'half') {
      for await (const item of open()) {
        yield item;
        break;
      }
    }
    throw this.#failure();
  }

  async #write(path: string, content: Content) {
    if (!this.#strike()) return this.#inner.write(path, content);
    if (this.#kind === 'after' || this.#kind === 'crash-after') await this.#inner.write(path, content);
    else if (this.#kind === 'half') {
      const half: Buffer[] = [];
      for await (const chunk of content.open()) half.push(Buffer.from(chunk));
      const bytes = Buffer.concat(half).subarray(0, Math.floor(content.size / 2));
      await this.#inner.write(path, {
        size: bytes.length,
        async *open() {
          yield bytes;
        },
      });
    }
    throw this.#failure();
  }
}
