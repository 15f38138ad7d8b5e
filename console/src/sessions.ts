import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { User } from './users.ts';

/** Who is signed in. In memory alone: a console that starts again asks the provider, which knows its users still. */

export interface Session {
  readonly key: string;
  user: User;
  /** What a page must send with each change. */
  readonly csrf: string;
  readonly endsAt: number;
  /** Last use, in ms since 1970. */
  usedAt: number;
  /** Absent: the provider cannot be asked again. */
  recheck?: Recheck;
}

/** When and how the provider is asked again whether a user may still come in. */
export interface Recheck {
  readonly at: number;
  readonly refreshToken: string;
  readonly subject: string;
}

const HOUR_MS = 3_600_000;
export const SESSION_HOURS = 12;
const IDLE_MS = 2 * HOUR_MS;
/** Of everybody, and of one user: the one that was used longest ago goes. */
const MAX_SESSIONS = 10_000;
const MAX_OF_USER = 20;

const digest = (secret: string) => createHash('sha256').update(secret).digest('base64url');

export class SessionStore {
  readonly #sessions = new Map<string, Session>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @returns the secret for the cookie; only its digest stays here */
  open(user: User, recheck?: Recheck): string {
    const secret = randomBytes(32).toString('base64url');
    const now = this.#now();
    const session: Session = {
      key: digest(secret),
      user,
      csrf: randomBytes(24).toString('base64url'),
      endsAt: now + SESSION_HOURS * HOUR_MS,
      usedAt: now,
      ...(recheck === undefined ? {} : { recheck }),
    };
    const own = [...this.#sessions.values()].filter((one) => one.user.id === user.id);
    if (own.length >= MAX_OF_USER) this.#endOldest(own);
    if (this.#sessions.size >= MAX_SESSIONS) this.#endOldest([...this.#sessions.values()]);
    this.#sessions.set(session.key, session);
    return secret;
  }

  find(secret: string | undefined): Session | undefined {
    if (secret === undefined || secret.length > 100) return undefined;
    const session = this.#sessions.get(digest(secret));
    if (session === undefined) return undefined;
    const now = this.#now();
    if (now < session.endsAt && now < session.usedAt + IDLE_MS) return session;
    this.end(session);
    return undefined;
  }

  isAlive(session: Session): boolean {
    return this.#sessions.get(session.key) === session && this.#now() < session.endsAt;
  }

  touch(session: Session): void {
    session.usedAt = this.#now();
  }

  end(session: Session): void {
    this.#sessions.delete(session.key);
  }

  #endOldest(sessions: readonly Session[]): void {
    const oldest = sessions.reduce((best, one) => (one.usedAt < best.usedAt ? one : best));
    this.end(oldest);
  }
}

export function isSameSecret(given: unknown, expected: string): boolean {
  if (typeof given !== 'string') return false;
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
