import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import * as z from 'zod';
import {
  drawSignInSecrets,
  type Grant,
  OpenIdProvider,
  ProviderError,
} from '../../sidecar/src/front/openid-provider.ts';
import { type ConsoleConfig, type OpenIdConfig, readSecretFile } from './config.ts';
import type { Recheck } from './sessions.ts';
import { type Refusal, type User, userOf } from './users.ts';

/** Sign-in by OpenID Connect, and which of its users is who here. */

export const CALLBACK_PATH = '/sign-in/callback';
const SIGN_IN_MS = 10 * 60_000;
/** How often a provider that can be asked is asked whether a user is still one. */
const RECHECK_MS = 5 * 60_000;
/** States that were used, so that an answer counts once; the provider holds its code to that besides. */
const MAX_USED = 20_000;

export interface SignedIn {
  readonly user: User;
  readonly recheck?: Recheck;
  readonly to: string;
}

/** Why somebody is not signed in; `message` is for the log. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
  readonly code: 'unreachable' | 'expired' | 'refused' | Refusal;
  constructor(code: SignInError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const pendingSchema = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  to: z.string(),
  until: z.number(),
});
type Pending = z.output<typeof pendingSchema>;

export class OpenIdSignIn {
  readonly #settings: OpenIdConfig;
  readonly #config: ConsoleConfig;
  readonly #now: () => number;
  readonly #provider: OpenIdProvider;
  /** What was begun is with the browser, which cannot read or change it: strangers cost no memory here. */
  readonly #key = randomBytes(32);
  readonly #used = new Map<string, number>();

  constructor(settings: OpenIdConfig, config: ConsoleConfig, now: () => number = Date.now) {
    this.#settings = settings;
    this.#config = config;
    this.#now = now;
    const { issuer, clientId, clientSecretFile, scope } = settings;
    this.#provider = new OpenIdProvider({
      ...{ issuer, clientId, scope },
      clientSecret: () => (clientSecretFile === undefined ? '' : readSecretFile(clientSecretFile)),
      redirectUri: `${config.publicOrigin}${CALLBACK_PATH}`,
    });
  }

  close(): Promise<void> {
    return this.#provider.close();
  }

  /** @returns where the browser goes, and the cookie that it brings back */
  async begin(to: string): Promise<{ readonly url: URL; readonly cookie: string }> {
    const secrets = drawSignInSecrets();
    const url = await worded(this.#provider.begin(secrets));
    const pending: Pending = { ...secrets, to, until: this.#now() + SIGN_IN_MS };
    return { url, cookie: this.#seal(JSON.stringify(pending)) };
  }

  /** @param query of the provider's answer @throws SignInError */
  async finish(query: string, cookie: string | undefined): Promise<SignedIn> {
    const pending = this.#open(cookie);
    if (pending === undefined || pending.until < this.#now())
      throw new SignInError('expired', 'no sign-in was begun in this browser, or too long ago');
    if (this.#used.has(pending.state)) throw new SignInError('expired', 'this answer was used before');
    this.#remember(pending);
    const grant = await worded(this.#provider.finish(new URLSearchParams(query), pending));
    return { ...(await this.#userOf(grant)), to: pending.to };
  }

  /** Asks again who somebody is. The token that is given is used up. @throws SignInError */
  async recheck(given: Recheck, id: string): Promise<Omit<SignedIn, 'to'>> {
    const found = await this.#userOf(await worded(this.#provider.refresh(given.refreshToken)), given);
    if (found.user.id !== id) throw new SignInError('refused', 'the provider names somebody else now');
    return found;
  }

  /** Where a sign-out goes on; undefined: the provider has no such place. No token is in the address. */
  endUrl(): Promise<URL | undefined> {
    return worded(this.#provider.endAddress(`${this.#config.publicOrigin}/signed-out`));
  }

  /** The provider takes the refresh token back, where it can. */
  revoke(refreshToken: string): Promise<void> {
    return worded(this.#provider.revoke(refreshToken));
  }

  /** @param before absent at a sign-in, whose answer names its user; of a later one it may leave that out */
  async #userOf(grant: Grant, before?: Recheck): Promise<Omit<SignedIn, 'to'>> {
    const { userClaim, nameClaim, groupsClaim } = this.#settings;
    const subject = grant.claims?.sub ?? before?.subject ?? '';
    const own: Readonly<Record<string, unknown>> = grant.claims ?? {};
    const isWhole = [userClaim, nameClaim, groupsClaim].every((claim) => own[claim] !== undefined);
    const claims = isWhole ? own : { ...(await worded(grant.more(subject))), ...own };
    const user = userOf(
      { id: claims[userClaim], name: claims[nameClaim], groups: claims[groupsClaim] },
      this.#config,
    );
    if (typeof user === 'string') throw new SignInError(user, `claims of ${subject}: ${user}`);
    const refreshToken = grant.refreshToken ?? before?.refreshToken;
    if (refreshToken === undefined) return { user };
    return { user, recheck: { at: this.#now() + RECHECK_MS, refreshToken, subject } };
  }

  #remember({ state, until }: Pending): void {
    for (const [used, end] of this.#used) {
      if (end > this.#now() && this.#used.size < MAX_USED) break;
      this.#used.delete(used);
    }
    this.#used.set(state, until);
  }

  #seal(text: string): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  #open(cookie: string | undefined): Pending | undefined {
    try {
      const bytes = Buffer.from(cookie ?? '', 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      const text = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
      return pendingSchema.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }
}

/** Enough to find a line of the log by, and of no use besides. */
export const shortDigest = (text: string) =>
  createHash('sha256').update(text).digest('base64url').slice(0, 8);

/** A network that fails, or a proxy in front that does, is no answer of the provider. */
async function worded<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    if (!(cause instanceof ProviderError)) throw cause;
    const isUnheard = ['unreachable', 'slow', 'unusable'].includes(cause.reason);
    throw new SignInError(isUnheard ? 'unreachable' : 'refused', cause.message, { cause });
  }
}
