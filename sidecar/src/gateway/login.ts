import type { FastifyInstance, FastifyRequest } from 'fastify';
import PQueue from 'p-queue';
import { verifyPassword } from '../../contract/password-hash.ts';
import { clientKey } from './request-checks.ts';
import { DEVICE_COOKIE, type Sessions } from './sessions.ts';
import type { SecretStore } from './settings.ts';

/** Wrong passwords before a client has to wait until the window ends. */
export const CLIENT_FAILURES = 5;
/** Wrong passwords of all strangers together; a browser that has logged in before is not held up by them. */
export const ALL_FAILURES = 60;
const WINDOW_MS = 60_000;

/** Attempts that may wait for their turn; each takes a fifth of a second and 16 MiB. */
const MAX_WAITING = 20;

export type LoginResult =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'wrong'; readonly attemptsLeft: number }
  | { readonly outcome: 'wait'; readonly seconds: number };

export type CheckLogin = (request: FastifyRequest, password: string) => Promise<LoginResult>;

/**
 * Makes the function that decides on a login. Attempts are verified one after the other, so parallel ones cannot
 * slip under the limits; only wrong passwords count. Needs `@fastify/rate-limit` and `@fastify/cookie`.
 */
export function createLoginCheck(app: FastifyInstance, secrets: SecretStore, sessions: Sessions): CheckLogin {
  const knownDevice = (request: FastifyRequest) => sessions.knownDevice(request.cookies[DEVICE_COOKIE]);
  const perClient = app.createRateLimit({
    max: CLIENT_FAILURES,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => knownDevice(request) ?? clientKey(request.headers, request.ip),
  });
  const overall = app.createRateLimit({
    max: ALL_FAILURES,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => (knownDevice(request) ? 'known' : 'strangers'),
  });
  const limiters = [perClient, overall];
  const queue = new PQueue({ concurrency: 1 });

  async function peek(request: FastifyRequest): Promise<{ left: number; seconds: number }> {
    const limits = await Promise.all(limiters.map((limiter) => limiter(request, { increment: false })));
    let left = Number.POSITIVE_INFINITY;
    let seconds = 0;
    for (const limit of limits) {
      if (limit.isAllowed) continue;
      left = Math.min(left, limit.remaining);
      if (limit.remaining === 0) seconds = Math.max(seconds, limit.ttlInSeconds);
    }
    return { left, seconds };
  }

  async function attempt(request: FastifyRequest, password: string): Promise<LoginResult> {
    const before = await peek(request);
    if (before.left === 0) return { outcome: 'wait', seconds: Math.max(1, before.seconds) };
    if (await verifyPassword(password, secrets.current().passwordHash)) return { outcome: 'accepted' };
    for (const limiter of limiters) await limiter(request);
    const after = await peek(request);
    return after.left === 0
      ? { outcome: 'wait', seconds: Math.max(1, after.seconds) }
      : { outcome: 'wrong', attemptsLeft: after.left };
  }

  return async (request, password) => {
    if (queue.size >= MAX_WAITING) return { outcome: 'wait', seconds: 10 };
    return queue.add(() => attempt(request, password));
  };
}
