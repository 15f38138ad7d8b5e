import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import type { SignInSecrets } from '../front/openid-provider.ts';
import { Revocations } from './revocations.ts';
import type { SessionEnd, SessionView } from './session-view.ts';
import type { SecretStore } from './settings.ts';

/** Cookie names; the prefix makes browsers insist on Secure, Path=/ and no Domain. */
export const SESSION_COOKIE = '__Host-scipion';
/** Marks a browser that has logged in before, so that strangers who guess cannot lock its user out. */
export const DEVICE_COOKIE = '__Host-scipion-known';

/** Given to who was told to wait; with it the next try is looked at whatever others do. */
export const TURN_COOKIE = '__Host-scipion-turn';
/** Ties what a sign-in server sends back to the browser that was sent there. */
export const SIGN_IN_COOKIE = '__Host-scipion-sign-in';

const HOUR_MS = 3_600_000;
/** Without a key, click or page load for this long the user logs in again. Work goes on in the desktop meanwhile. */
export const SESSION_IDLE_MS = 12 * HOUR_MS;
/** However busy, the user logs in again after this long. */
export const SESSION_MAX_MS = 7 * 24 * HOUR_MS;
export const DEVICE_MAX_MS = 90 * 24 * HOUR_MS;
/** The wait before a turn, and how long it may be taken after it was given. */
export const TURN_AFTER_MS = 3000;
export const TURN_MAX_MS = 60_000;
/** For a person to sign in at the server: passwords, second factors, consent. */
export const SIGN_IN_MAX_MS = 15 * 60_000;
/** More than come in that time at the rate at which they are taken. */
const MAX_SIGN_INS = 20_000;
/** Clocks are put right by steps; a cookie from further ahead is of a clock that was wrong, and would live too long. */
export const MAX_CLOCK_STEP_MS = HOUR_MS;

const tokenSchema = z.strictObject({
  kind: z.enum(['session', 'device', 'turn', 'sign-in']),
  id: z.uuid(),
  createdAt: z.int(),
  seenAt: z.int(),
  /** By which way a session was opened; absent: by the password. */
  door: z.string().optional(),
  /** Of a session; absent: when it was opened. */
  era: z.int().optional(),
});
type Token = z.infer<typeof tokenSchema>;

export interface Session {
  readonly id: string;
  readonly createdAt: number;
  /** Last sign of its user. */
  readonly seenAt: number;
  readonly door: string;
  /** What a later "end all others" ends it by. */
  readonly era: number;
}

/** Doors by which sessions are opened; that of a sign-in has a digest of who may use it behind it. */
export const DOORS = { password: 'password', console: 'console', signIn: 'sign-in' } as const;

/** That are told of; each was opened by somebody who may. */
const MAX_LISTED = 50;
const MAX_AGENT = 300;

export interface SessionsOptions {
  readonly secrets: SecretStore;
  /** Where logouts are kept. */
  readonly file: string;
  readonly onProblem: (error: Error) => void;
  /** Whether sessions that were opened by a door are good; not those of one that was closed since. @default all */
  readonly isOpenDoor?: (door: string) => boolean;
  /** In ms since 1970. @default Date.now */
  readonly now?: () => number;
}

/**
 * Sessions live in signed cookies, so a restart of the gateway does not log anybody out. The signing key is derived
 * from the Secret's key *and* the password's hash: a changed password ends every session by itself.
 */
export class CookieSessions {
  readonly #secrets: SecretStore;
  readonly #now: () => number;
  /** Session → last sign of its user, where that is newer than what the cookie says. */
  readonly #seenAt = new Map<string, number>();
  readonly #revocations: Revocations;
  /** Those that were heard of since this process began, the last of them at the end. */
  readonly #heard = new Map<string, { readonly createdAt: number; readonly agent: string }>();
  /** Turns that were taken → when they were given. */
  readonly #takenTurns = new Map<string, number>();
  readonly #takenSignIns = new Map<string, number>();
  readonly #isOpenDoor: (door: string) => boolean;

  constructor({ secrets, now = Date.now, isOpenDoor = () => true, ...revocations }: SessionsOptions) {
    this.#secrets = secrets;
    this.#now = now;
    this.#isOpenDoor = isOpenDoor;
    this.#revocations = new Revocations({ ...revocations, maxAgeMs: SESSION_MAX_MS, now });
  }

  /** Value of the cookie of a new session. */
  open(door: string = DOORS.password): string {
    return this.#seal('session', randomUUID(), this.#now(), { door, era: this.#revocations.era });
  }

  /** Value of the cookie that recognises this browser at its next login. */
  markDevice(): string {
    return this.#seal('device', randomUUID(), this.#now());
  }

  /** The session a cookie stands for; undefined when it is forged, expired, idle for too long, or logged out. */
  check(cookie: string | undefined): Session | undefined {
    const token = this.#unseal(cookie, 'session');
    if (!token) return undefined;
    const { id, createdAt, era = createdAt, door = DOORS.password } = token;
    if (this.#revocations.has(id, era)) return undefined;
    const now = this.#now();
    const seenAt = Math.max(token.seenAt, this.#seenAt.get(id) ?? 0);
    if (now - createdAt >= SESSION_MAX_MS || now - seenAt >= SESSION_IDLE_MS) return undefined;
    return this.#isOpenDoor(door) ? { id, createdAt, seenAt, door, era } : undefined;
  }

  /** Records a sign of the session's user; returns the cookie that remembers it. */
  touch(session: Session): string {
    const now = this.#now();
    this.#prune(now);
    this.#seenAt.set(session.id, now);
    return this.#seal('session', session.id, session.createdAt, session);
  }

  revoke(session: Session): void {
    this.#revocations.add(session.id, session.era);
    this.#seenAt.delete(session.id);
    this.#heard.delete(session.id);
  }

  /** Records which browser a session is used by. */
  hear({ id, createdAt }: Session, agent = ''): void {
    this.#heard.delete(id);
    this.#heard.set(id, { createdAt, agent: agent.slice(0, MAX_AGENT) });
    for (const [oldest] of this.#heard) {
      if (this.#heard.size <= MAX_LISTED) break;
      this.#heard.delete(oldest);
    }
  }

  /** Sessions that are valid and were heard of, the last of them first. */
  list(own: Session): SessionView[] {
    const now = this.#now();
    const views = [...this.#heard].map(([id, { createdAt, agent }]) => ({
      isThis: id === own.id,
      agent,
      createdAt,
      seenAt: this.#seenAt.get(id) ?? createdAt,
      endsAt: createdAt + SESSION_MAX_MS,
    }));
    return views.filter(({ seenAt, endsAt }) => now < endsAt && now - seenAt < SESSION_IDLE_MS).reverse();
  }

  /** Ends all sessions but this one, also those that were not heard of. */
  endOthers(own: Session): void {
    this.#revocations.endOthers(own.id);
    for (const id of this.#heard.keys()) if (id !== own.id) this.#heard.delete(id);
  }

  /** Id of a browser that has logged in with the present password before. */
  knownDevice(cookie: string | undefined): string | undefined {
    const token = this.#unseal(cookie, 'device');
    return token && this.#now() - token.createdAt < DEVICE_MAX_MS ? token.id : undefined;
  }

  /** Value of the cookie that lets its holder try again after a short wait. */
  giveTurn(): string {
    return this.#seal('turn', randomUUID(), this.#now());
  }

  /** Whether the cookie is a turn whose wait is over; each can be taken once. */
  takeTurn(cookie: string | undefined): boolean {
    const turn = this.#unseal(cookie, 'turn');
    if (!turn) return false;
    const now = this.#now();
    const age = now - turn.createdAt;
    if (age < TURN_AFTER_MS || age >= TURN_MAX_MS || this.#takenTurns.has(turn.id)) return false;
    forget(this.#takenTurns, now - TURN_MAX_MS);
    this.#takenTurns.set(turn.id, turn.createdAt);
    return true;
  }

  /** Begins a sign-in elsewhere: the cookie of the browser that leaves, and what its answer has to match. */
  beginSignIn(): { readonly cookie: string; readonly secrets: SignInSecrets } {
    const id = randomUUID();
    return { cookie: this.#seal('sign-in', id, this.#now()), secrets: this.#signInSecrets(id) };
  }

  /** What the answer to the sign-in of this cookie has to match; undefined when it is too old or was answered before. */
  takeSignIn(cookie: string | undefined): SignInSecrets | undefined {
    const token = this.#unseal(cookie, 'sign-in');
    const now = this.#now();
    if (!token || now - token.createdAt >= SIGN_IN_MAX_MS || this.#takenSignIns.has(token.id))
      return undefined;
    forget(this.#takenSignIns, now - SIGN_IN_MAX_MS, MAX_SIGN_INS);
    this.#takenSignIns.set(token.id, token.createdAt);
    return this.#signInSecrets(token.id);
  }

  /** Digest of a link's secret; another one once the password or the key has changed. */
  digestOf(secret: string): string {
    return this.#sign(`share.${secret}`).toString('base64url');
  }

  /** By age, or sooner without a sign of its user. */
  endOf({ createdAt, seenAt }: Session): SessionEnd {
    const [byAge, byIdleness] = [createdAt + SESSION_MAX_MS, seenAt + SESSION_IDLE_MS];
    return { endsAt: Math.min(byAge, byIdleness), isFinal: byAge <= byIdleness };
  }

  #prune(now: number): void {
    for (const [id, at] of this.#seenAt) if (now - at >= SESSION_IDLE_MS) this.#seenAt.delete(id);
  }

  #sign(body: string): Buffer {
    const { sessionKey, passwordHash } = this.#secrets.current();
    const key = createHmac('sha256', sessionKey).update(passwordHash).digest();
    return createHmac('sha256', key).update(body).digest();
  }

  /** Made of the key and never sent to the browser as they are, so that nothing is kept of who only begins. */
  #signInSecrets(id: string): SignInSecrets {
    const draw = (purpose: string) => this.#sign(`sign-in.${purpose}.${id}`).toString('base64url');
    return { state: draw('state'), nonce: draw('nonce'), codeVerifier: draw('verifier') };
  }

  #seal(kind: Token['kind'], id: string, createdAt: number, session?: Pick<Session, 'door' | 'era'>): string {
    const seenAt = this.#now();
    const token: Token = { kind, id, createdAt, seenAt };
    if (session) Object.assign(token, { door: session.door, era: session.era });
    const body = Buffer.from(JSON.stringify(token)).toString('base64url');
    return `${body}.${this.#sign(body).toString('base64url')}`;
  }

  #unseal(cookie: string | undefined, kind: Token['kind']): Token | undefined {
    const [body, signature, ...rest] = cookie?.split('.') ?? [];
    if (!body || !signature || rest.length > 0) return undefined;
    const given = Buffer.from(signature, 'base64url');
    const expected = this.#sign(body);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const token = tokenSchema.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8')));
    if (!token.success || token.data.kind !== kind) return undefined;
    return token.data.createdAt - this.#now() <= MAX_CLOCK_STEP_MS ? token.data : undefined;
  }
}

/** Drops what was noted before a time, and the oldest of what is too much; the oldest stand first. */
function forget(notes: Map<string, number>, before: number, most = Number.POSITIVE_INFINITY): void {
  for (const [id, at] of notes) {
    if (at > before && notes.size < most) break;
    notes.delete(id);
  }
}
