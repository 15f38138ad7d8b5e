import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import PQueue from 'p-queue';
import { verifyPassword } from '../../contract/password-hash.ts';
import { clientKey } from '../front/request-checks.ts';
import { TurnQueue } from '../front/turn-queue.ts';
import { type CookieSessions, DEVICE_COOKIE, TURN_AFTER_MS, TURN_COOKIE } from './sessions.ts';
import type { SecretStore } from './settings.ts';

/** Wrong passwords before a client has to wait until the window ends. */
export const CLIENT_FAILURES = 5;
/** Wrong passwords of all strangers together; a browser that has logged in before is not held up by them. */
export const ALL_FAILURES = 60;
const WINDOW_MS = 60_000;
/** Attempts that may wait for each other; each takes a fifth of a second and 16 MiB until the first login. */
const MAX_WAITING = 20;
/**
 * Guesses a second by those who waited for a turn, and how many may queue: nobody waits longer than some 3 s. Far below
 * what a good password needs, far above what the limits let through, so that strangers cannot use those up for others.
 */
const TURNS = { perSecond: 40, maxWaiting: 100 } as const;
/** The same until the first login, while every guess costs a slow hash. */
const SLOW_TURNS = { perSecond: 2, maxWaiting: 10 } as const;

export type LoginResult =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'wrong'; readonly attemptsLeft: number }
  /** `turn` is the cookie that makes the next try count. */
  | { readonly outcome: 'wait'; readonly seconds: number; readonly turn: string };

export type CheckLogin = (request: FastifyRequest, password: string) => Promise<LoginResult>;

/**
 * Makes the function that decides on a login. Attempts are verified one after the other, so parallel ones cannot slip
 * under the limits; only wrong passwords count. Who is over a limit gets a turn: after a few seconds one more try is
 * looked at, so that nobody who has the password can be kept out. Browsers that have logged in before have limits and
 * queues of their own. Needs `@fastify/rate-limit` and `@fastify/cookie`.
 */
export function createLoginCheck(
  app: FastifyInstance,
  secrets: SecretStore,
  sessions: CookieSessions,
): CheckLogin {
  const verifier = new Verifier(secrets);
  const deviceOf = (request: FastifyRequest) => sessions.knownDevice(request.cookies[DEVICE_COOKIE]);
  const lane = (keyOf: (request: FastifyRequest) => string) => new Lane(app, verifier, sessions, keyOf);
  const known = lane((request) => deviceOf(request) ?? '');
  const strangers = lane((request) => clientKey(request.headers, request.ip));
  app.addHook('onClose', async () => {
    known.close();
    strangers.close();
  });
  return (request, password) => (deviceOf(request) ? known : strangers).attempt(request, password);
}

type Limiter = ReturnType<FastifyInstance['createRateLimit']>;

/** Limits and queues of one kind of visitors. */
class Lane {
  readonly #verifier: Verifier;
  readonly #sessions: CookieSessions;
  readonly #limiters: readonly Limiter[];
  readonly #queue = new PQueue({ concurrency: 1 });
  readonly #turns = new TurnQueue(TURNS);
  readonly #slowTurns = new TurnQueue(SLOW_TURNS);

  constructor(
    app: FastifyInstance,
    verifier: Verifier,
    sessions: CookieSessions,
    keyOf: (request: FastifyRequest) => string,
  ) {
    this.#verifier = verifier;
    this.#sessions = sessions;
    this.#limiters = [
      app.createRateLimit({ max: CLIENT_FAILURES, timeWindow: WINDOW_MS, keyGenerator: keyOf }),
      app.createRateLimit({ max: ALL_FAILURES, timeWindow: WINDOW_MS, keyGenerator: () => 'all' }),
    ];
  }

  async attempt(request: FastifyRequest, password: string): Promise<LoginResult> {
    if (this.#queue.size < MAX_WAITING && (await this.#attemptsLeft(request)) > 0) {
      const result = await this.#queue.add(() => this.#attemptWithinLimits(request, password));
      if (result !== undefined) return result;
    }
    if (!this.#sessions.takeTurn(request.cookies[TURN_COOKIE])) return this.#wait();
    const turns = this.#verifier.isQuick ? this.#turns : this.#slowTurns;
    const hasTurn = await new Promise<boolean>((resolve) => {
      turns.take({
        isWanted: () => !request.raw.socket.destroyed,
        run: () => resolve(true),
        drop: () => resolve(false),
      });
    });
    if (!hasTurn) return this.#wait();
    const isRight = await this.#queue.add(() => this.#verifier.verify(password), { priority: 1 });
    return isRight ? { outcome: 'accepted' } : this.#wait();
  }

  close(): void {
    this.#turns.close();
    this.#slowTurns.close();
  }

  /** Undefined when there is no attempt left; the password was not looked at then. */
  async #attemptWithinLimits(request: FastifyRequest, password: string): Promise<LoginResult | undefined> {
    if ((await this.#attemptsLeft(request)) === 0) return undefined;
    if (await this.#verifier.verify(password)) return { outcome: 'accepted' };
    for (const limiter of this.#limiters) await limiter(request);
    const attemptsLeft = await this.#attemptsLeft(request);
    return attemptsLeft === 0 ? this.#wait() : { outcome: 'wrong', attemptsLeft };
  }

  async #attemptsLeft(request: FastifyRequest): Promise<number> {
    let left = Number.POSITIVE_INFINITY;
    for (const limiter of this.#limiters) {
      const limit = await limiter(request, { increment: false });
      if (!limit.isAllowed) left = Math.min(left, limit.remaining);
    }
    return left;
  }

  #wait(): LoginResult {
    return { outcome: 'wait', seconds: TURN_AFTER_MS / 1000, turn: this.#sessions.giveTurn() };
  }
}

/**
 * Compares with the stored hash, which is slow on purpose, until a password was right; from then on with a quick hash
 * of that one, whose key exists in this process alone. So a flood of guesses costs no memory and next to no time.
 */
class Verifier {
  readonly #secrets: SecretStore;
  readonly #key = randomBytes(32);
  #right: { readonly passwordHash: string; readonly digest: Buffer } | undefined;

  constructor(secrets: SecretStore) {
    this.#secrets = secrets;
  }

  get isQuick(): boolean {
    return this.#right?.passwordHash === this.#secrets.current().passwordHash;
  }

  async verify(password: string): Promise<boolean> {
    const { passwordHash } = this.#secrets.current();
    const digest = createHmac('sha256', this.#key).update(password.normalize('NFC')).digest();
    if (this.#right?.passwordHash === passwordHash) return timingSafeEqual(digest, this.#right.digest);
    if (!(await verifyPassword(password, passwordHash))) return false;
    this.#right = { passwordHash, digest };
    return true;
  }
}
