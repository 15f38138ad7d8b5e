import type { Clock } from '../clock.ts';
import type { Content, ReadOnlySpace, ReadOptions, Space } from './space.ts';

/** Unused time of a line counts for at most so long: then bytes go through in one burst. */
const BURST_MS = 250;
/** An upload asks for room in slices, so that no stream waits so long for its turn that it looks stalled. */
const SLICE_BYTES = 16_384;

/** Bytes a second, asked whenever bytes want to pass, so that a change counts at once; undefined: as many as the line gives. */
export type Rate = number | (() => number | undefined);

/** One line for all transfers of a direction: each slice of bytes gets its time, in the order of asking. */
export class Bandwidth {
  readonly #rate: () => number | undefined;
  readonly #clock: Clock;
  #freeAt = 0;
  #lastRate: number | undefined;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = typeof rate === 'number' ? () => rate : rate;
    this.#clock = clock;
  }

  get isLimited(): boolean {
    return this.#rate() !== undefined;
  }

  /** Resolves when these bytes may pass. @throws the signal's reason */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const rate = this.#rate();
    if (rate === undefined) return;
    const now = this.#clock.monotonic();
    // Bytes that wait for their turn already take their time at the new rate too.
    if (this.#lastRate !== undefined && this.#freeAt > now)
      this.#freeAt = now + ((this.#freeAt - now) * this.#lastRate) / rate;
    this.#lastRate = rate;
    const start = Math.max(this.#freeAt, now - BURST_MS);
    this.#freeAt = start + (bytes * 1000) / rate;
    if (this.#freeAt > now) await this.#clock.sleep(this.#freeAt - now, signal);
  }
}

export interface Bandwidths {
  readonly down?: Bandwidth | undefined;
  readonly up?: Bandwidth | undefined;
}

/**
 * The space with its contents held to a bandwidth; small calls pass. Goes around `withRetry`, which watches how long the
 * network takes, not how long it is kept waiting.
 */
export function withBandwidth<Given extends ReadOnlySpace>(space: Given, { down, up }: Bandwidths): Given {
  const writable = space as unknown as Space;
  const paced = (content: Content, signal: AbortSignal | undefined): Content =>
    up === undefined ? content : { size: content.size, open: () => slices(content, up, signal) };
  return new Proxy(space, {
    get(target, key) {
      if (key === 'read' && down !== undefined) {
        return (file: Parameters<Space['read']>[0], options: ReadOptions = {}) =>
          readPaced(target, down, file, options);
      }
      if (key === 'write' && up !== undefined) {
        return (...[path, content, options]: Parameters<Space['write']>) =>
          writable.write(path, paced(content, options?.signal), options);
      }
      if (key === 'writePart' && up !== undefined && writable.writePart !== undefined) {
        return (...[file, offset, content, options]: Parameters<NonNullable<Space['writePart']>>) =>
          writable.writePart?.(file, offset, paced(content, options?.signal), options);
      }
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function* readPaced(
  space: ReadOnlySpace,
  down: Bandwidth,
  file: Parameters<Space['read']>[0],
  options: ReadOptions,
): AsyncIterable<Uint8Array> {
  for await (const bytes of space.read(file, options)) {
    await down.take(bytes.byteLength, options.signal);
    yield bytes;
  }
}

async function* slices(
  content: Content,
  up: Bandwidth,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  for await (const bytes of content.open()) {
    if (!up.isLimited) {
      yield bytes;
      continue;
    }
    for (let at = 0; at < bytes.byteLength; at += SLICE_BYTES) {
      const slice = bytes.subarray(at, at + SLICE_BYTES);
      await up.take(slice.byteLength, signal);
      yield slice;
    }
  }
}
