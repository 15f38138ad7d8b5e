import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import { isIPv6 } from 'node:net';
import type { Logger } from 'pino';
import { type ConsoleConfig, networksOf } from './config.ts';
import { type OpenIdSignIn, SignInError } from './openid.ts';
import type { Session, SessionStore } from './sessions.ts';
import { type User, userOf } from './users.ts';

/** Who a request comes from, whichever way of signing in the site has. */

export interface Visitor {
  readonly user: User;
  /** What a page must send with each change. */
  readonly csrf: string;
  /** For what lasts longer than one request. */
  readonly isStillIn: () => boolean;
  readonly session?: Session;
}

export interface Visitors {
  /** Quick, and without asking anybody: whether this is somebody who may come in. */
  isKnown(request: IncomingMessage, cookie: string | undefined): boolean;
  /** undefined: has to sign in. */
  of(request: IncomingMessage, cookie: string | undefined): Promise<Visitor | undefined>;
}

/** How long a user whom the provider cannot be asked about at the moment stays signed in. */
const UNREACHABLE_MS = 15 * 60_000;

export class SessionVisitors implements Visitors {
  readonly sessions: SessionStore;
  readonly signIn: OpenIdSignIn;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #rechecks = new Map<Session, Promise<void>>();

  constructor(sessions: SessionStore, signIn: OpenIdSignIn, logger: Logger, now: () => number = Date.now) {
    this.sessions = sessions;
    this.signIn = signIn;
    this.#logger = logger;
    this.#now = now;
  }

  isKnown(_request: IncomingMessage, cookie: string | undefined): boolean {
    return this.sessions.find(cookie) !== undefined;
  }

  async of(_request: IncomingMessage, cookie: string | undefined): Promise<Visitor | undefined> {
    const session = this.sessions.find(cookie);
    if (session === undefined) return undefined;
    await this.#recheck(session);
    if (!this.sessions.isAlive(session)) return undefined;
    this.sessions.touch(session);
    const { user, csrf } = session;
    return { user, csrf, session, isStillIn: () => this.sessions.isAlive(session) };
  }

  /** At most one at a time for a session: the token that is given is used up, and a second use ends everything. */
  async #recheck(session: Session): Promise<void> {
    if (session.recheck === undefined || this.#now() < session.recheck.at) return;
    const running = this.#rechecks.get(session) ?? this.#ask(session);
    this.#rechecks.set(session, running);
    await running.finally(() => this.#rechecks.delete(session));
  }

  async #ask(session: Session): Promise<void> {
    const given = session.recheck;
    if (given === undefined) return;
    try {
      const { user, recheck } = await this.signIn.recheck(given, session.user.id);
      session.user = user;
      if (recheck !== undefined) session.recheck = recheck;
    } catch (error) {
      if (!(error instanceof SignInError)) throw error;
      const isPassing = error.code === 'unreachable' && this.#now() < given.at + UNREACHABLE_MS;
      this.#logger.warn({ user: session.user.id, isPassing }, `sign-in looked at again: ${error.message}`);
      if (!isPassing) this.sessions.end(session);
    }
  }
}

/** A proxy in front has signed the user in and says who it is. Only whom the configuration names is believed. */
export class ProxyVisitors implements Visitors {
  readonly #config: ConsoleConfig;
  readonly #networks: BlockList;
  readonly #key = randomBytes(32);

  constructor(config: ConsoleConfig) {
    this.#config = config;
    this.#networks = networksOf(config.signIn.kind === 'proxy' ? config.signIn.networks : []);
  }

  isKnown(request: IncomingMessage): boolean {
    return this.#userOf(request) !== undefined;
  }

  async of(request: IncomingMessage): Promise<Visitor | undefined> {
    const user = this.#userOf(request);
    if (user === undefined) return undefined;
    const csrf = createHmac('sha256', this.#key).update(user.id).digest('base64url');
    return { user, csrf, isStillIn: () => true };
  }

  #userOf(request: IncomingMessage): User | undefined {
    const { signIn } = this.#config;
    if (signIn.kind !== 'proxy' || !this.#isProxy(request.socket.remoteAddress ?? '')) return undefined;
    const of = (header: string) => request.headers[header];
    const given = { id: of(signIn.userHeader), name: of(signIn.nameHeader), groups: of(signIn.groupsHeader) };
    const user = userOf(given, this.#config);
    return typeof user === 'string' ? undefined : user;
  }

  #isProxy(address: string): boolean {
    const bare = address.replace(/^::ffff:(?=\d+\.)/i, '');
    if (bare === '') return false;
    return this.#networks.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
  }
}
