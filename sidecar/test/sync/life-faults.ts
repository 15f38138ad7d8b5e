import type { FaultRule, Faults } from '../../../emulators/onedata/faults.ts';
import { type ReadOnlySpace, type Space, SpaceError } from '../../src/spaces/space.ts';
import { Random } from './random.ts';

/** The faults of a whole instance life, and how to live through them without waiting for real. */

const posix = (errno: string) => ({ kind: 'error', status: 400, id: 'posix', details: { errno } }) as const;
const BODIES = '/(content|children)';
const UPLOADS = '/(content|path/.*type=REG)';

/** What strikes, and on which requests. Longer than `STALL_MS` is given up by the client. */
const KINDS: Record<string, Pick<FaultRule, 'action' | 'path' | 'method' | 'space'>> = {
  'connection reset before the work': { action: { kind: 'cut' } },
  'connection reset after the work': { action: { kind: 'lose-answer' } },
  'overload with a time to come back': {
    action: { kind: 'error', status: 503, id: 'serviceUnavailable', retryAfterSeconds: 1 },
  },
  'too many requests': { action: { kind: 'status', status: 429, retryAfterSeconds: 1 } },
  'internal error': { action: { kind: 'error', status: 500, id: 'internalServerError' } },
  'gateway in between': { action: { kind: 'status', status: 502 } },
  'its page instead of an answer': { action: { kind: 'wrong-answer' } },
  'zone out of reach': {
    path: '/oneprovider/(data|spaces|lookup)',
    action: {
      kind: 'error',
      status: 401,
      id: 'unauthorized',
      details: { authError: { id: 'noConnectionToOnezone', description: 'no connection' } },
    },
  },
  'sick storage': { path: '/(data|cdmi)', action: posix('eagain') },
  'busy storage': { path: '/(data|cdmi)', action: posix('ebusy') },
  'late answer': { action: { kind: 'late-answer', milliseconds: 200 } },
  'answer after the client gave up': { action: { kind: 'late-answer', milliseconds: 900 } },
  'short body': { method: 'GET', path: BODIES, action: { kind: 'truncate-body', afterBytes: 7 } },
  'body that stands still': { method: 'GET', path: BODIES, action: { kind: 'stall-body', afterBytes: 7 } },
  'upload refused half-way': {
    method: 'PUT',
    path: UPLOADS,
    action: { kind: 'refuse-body', afterBytes: 3, errno: 'etimedout' },
  },
  'upload cut half-way': { method: 'PUT', path: UPLOADS, action: { kind: 'cut-upload', afterBytes: 3 } },
  'times that are not known': { space: 'project', path: '/data/', action: { kind: 'zero-times' } },
};

/** Longest time without a byte for the client of a life. */
export const STALL_MS = 600;
const SHARE = 0.05;

/** The faults of one life: each kind once at least, at a request that the seed chooses, and 5 % of all requests. */
export class LifeFaults {
  readonly #faults: Faults;
  readonly #rules = new Map<string, number[]>();

  constructor(faults: Faults, seed: number) {
    const random = new Random(seed);
    this.#faults = faults;
    faults.apply({ seed, latencyMilliseconds: 20 });
    for (const [name, { space, ...kind }] of Object.entries(KINDS)) {
      const scope = { ...kind, ...(space === undefined ? {} : { space }) };
      this.#rules.set(name, [
        faults.add({ ...scope, skip: random.below(30), times: 1 }),
        faults.add({ ...scope, probability: SHARE / Object.keys(KINDS).length }),
      ]);
    }
  }

  /**
   * From now on a part of the listings lacks a part of its entries. Spared is what no listing has shown to this program
   * before: nobody can know of that until it is listed. @returns what ends it
   */
  dropEntries(space: string, spared: string): () => void {
    const action = { kind: 'drop-entries', names: `^(?!${spared}).*[aeiou0-4]` } as const;
    const rule = this.#faults.add({ space, path: '/children', probability: 0.5, action });
    return () => this.#faults.remove(rule);
  }

  /** Names of what has not struck so far. */
  get missing(): string[] {
    const missing = [...this.#rules].filter(([, ids]) => ids.every((id) => this.#faults.hits(id) === 0));
    return [...missing.map(([name]) => name), ...(this.#faults.dropped === 0 ? ['dropped entries'] : [])];
  }

  /** Requests so far, and how many of them were hit. */
  get counts(): { requests: number; struck: number } {
    const ids = [...this.#rules.values()].flat();
    const struck = ids.reduce((sum, id) => sum + this.#faults.hits(id), 0);
    return { requests: this.#faults.requests, struck };
  }
}

/** How much sooner a wait that a server asks for is over. */
const HURRY = 50;

/** A space whose errors ask for shorter waits, so that a life lasts seconds. */
export function hurried<T extends ReadOnlySpace | Space>(space: T): T {
  const sooner = (error: unknown): never => {
    if (!(error instanceof SpaceError) || error.retryAfterMs === undefined) throw error;
    const { code, message, path, cause } = error;
    const retryAfterMs = error.retryAfterMs / HURRY;
    throw new SpaceError(code, message, { cause, retryAfterMs, ...(path === undefined ? {} : { path }) });
  };
  async function* each(chunks: AsyncIterable<unknown>) {
    try {
      yield* chunks;
    } catch (error) {
      sooner(error);
    }
  }
  return new Proxy(space, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      if (key === 'list') {
        const list: ReadOnlySpace['list'] = (directory, options = {}) => {
          const { repeat } = options;
          const inner: typeof options =
            repeat === undefined
              ? options
              : { ...options, repeat: (request) => repeat((o) => request(o).catch(sooner)) };
          return each(target.list(directory, inner)) as ReturnType<ReadOnlySpace['list']>;
        };
        return list;
      }
      return (...given: unknown[]) => {
        const result = value.apply(target, given) as Promise<unknown> | AsyncIterable<unknown>;
        return 'then' in result ? result.catch(sooner) : each(result);
      };
    },
  });
}
