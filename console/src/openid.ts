import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import * as client from 'openid-client';
import * as z from 'zod';
import { type ConsoleConfig, isLoopback, type OpenIdConfig, readSecretFile } from './config.ts';
import type { Recheck } from './sessions.ts';
import { type Refusal, type User, userOf } from './users.ts';

/** Sign-in by OpenID Connect: authorization code with PKCE, state and nonce. */

export const CALLBACK_PATH = '/sign-in/callback';
const SIGN_IN_MS = 10 * 60_000;
/** How often a provider that can be asked is asked whether a user is still one. */
const RECHECK_MS = 5 * 60_000;
const ANSWER_SECONDS = 10;
/** After a failed look for the provider; each stranger would else begin one. */
const RETRY_MS = 3_000;
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
  verifier: z.string(),
  to: z.string(),
  until: z.number(),
});
type Pending = z.output<typeof pendingSchema>;

export class OpenIdSignIn {
  readonly #settings: OpenIdConfig;
  readonly #config: ConsoleConfig;
  readonly #now: () => number;
  /** What was begun is with the browser, which cannot read or change it: strangers cost no memory here. */
  readonly #key = randomBytes(32);
  readonly #used = new Map<string, number>();
  #provider: Promise<client.Configuration> | undefined;
  #notBefore = 0;

  constructor(settings: OpenIdConfig, config: ConsoleConfig, now: () => number = Date.now) {
    this.#settings = settings;
    this.#config = config;
    this.#now = now;
  }

  /** @returns where the browser goes, and the cookie that it brings back */
  async begin(to: string): Promise<{ readonly url: URL; readonly cookie: string }> {
    const provider = await this.#discover();
    const pending: Pending = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      to,
      until: this.#now() + SIGN_IN_MS,
    };
    const url = client.buildAuthorizationUrl(provider, {
      redirect_uri: `${this.#config.publicOrigin}${CALLBACK_PATH}`,
      scope: this.#settings.scope,
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    return { url, cookie: this.#seal(JSON.stringify(pending)) };
  }

  /** @param query of the provider's answer @throws SignInError */
  async finish(query: string, cookie: string | undefined): Promise<SignedIn> {
    const pending = this.#open(cookie);
    if (pending === undefined || pending.until < this.#now())
      throw new SignInError('expired', 'no sign-in was begun in this browser, or too long ago');
    if (this.#used.has(pending.state)) throw new SignInError('expired', 'this answer was used before');
    this.#remember(pending);
    const provider = await this.#discover();
    const url = new URL(`${this.#config.publicOrigin}${CALLBACK_PATH}${query}`);
    const checks = {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.verifier,
      idTokenExpected: true,
    };
    const tokens = await client.authorizationCodeGrant(provider, url, checks).catch(refuse);
    return { ...(await this.#userOf(provider, tokens)), to: pending.to };
  }

  /** Asks again who somebody is. The token that is given is used up. @throws SignInError */
  async recheck(given: Recheck, id: string): Promise<Omit<SignedIn, 'to'>> {
    const provider = await this.#discover();
    const tokens = await client.refreshTokenGrant(provider, given.refreshToken).catch(refuse);
    const found = await this.#userOf(provider, tokens, given);
    if (found.user.id !== id) throw new SignInError('refused', 'the provider names somebody else now');
    return found;
  }

  /** Where a sign-out goes on; undefined: the provider has no such place. No token is in the address. */
  async endUrl(): Promise<URL | undefined> {
    const provider = await this.#discover();
    if (provider.serverMetadata().end_session_endpoint === undefined) return undefined;
    const to = `${this.#config.publicOrigin}/signed-out`;
    return client.buildEndSessionUrl(provider, { post_logout_redirect_uri: to });
  }

  /** The provider takes the refresh token back, where it can. */
  async revoke(refreshToken: string): Promise<void> {
    const provider = await this.#discover();
    if (provider.serverMetadata().revocation_endpoint === undefined) return;
    await client.tokenRevocation(provider, refreshToken, { token_type_hint: 'refresh_token' });
  }

  /** @param before absent at a sign-in, whose answer names its user; of a later one it may leave that out */
  async #userOf(
    provider: client.Configuration,
    tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
    before?: Recheck,
  ): Promise<Omit<SignedIn, 'to'>> {
    const { userClaim, nameClaim, groupsClaim } = this.#settings;
    const own = tokens.claims();
    const subject = own?.sub ?? before?.subject ?? '';
    let claims: Record<string, unknown> = { ...own };
    const isWhole = [userClaim, nameClaim, groupsClaim].every((claim) => claims[claim] !== undefined);
    if (!isWhole && provider.serverMetadata().userinfo_endpoint !== undefined) {
      const more = await client.fetchUserInfo(provider, tokens.access_token, subject).catch(refuse);
      claims = { ...more, ...claims };
    }
    const user = userOf(
      { id: claims[userClaim], name: claims[nameClaim], groups: claims[groupsClaim] },
      this.#config,
    );
    if (typeof user === 'string') throw new SignInError(user, `claims of ${subject}: ${user}`);
    const refreshToken = tokens.refresh_token ?? before?.refreshToken;
    if (refreshToken === undefined) return { user };
    return { user, recheck: { at: this.#now() + RECHECK_MS, refreshToken, subject } };
  }

  #discover(): Promise<client.Configuration> {
    if (this.#now() < this.#notBefore)
      return Promise.reject(new SignInError('unreachable', 'the provider did not answer a moment ago'));
    this.#provider ??= this.#look().catch((cause: Error) => {
      this.#provider = undefined;
      this.#notBefore = this.#now() + RETRY_MS;
      throw new SignInError(
        'unreachable',
        `the provider ${this.#settings.issuer} cannot be asked: ${reasonOf(cause)}`,
        { cause },
      );
    });
    return this.#provider;
  }

  #look(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecretFile } = this.#settings;
    const url = new URL(issuer);
    const secret = clientSecretFile === undefined ? undefined : readSecretFile(clientSecretFile);
    const plain = url.protocol === 'http:' && isLoopback(url) ? [client.allowInsecureRequests] : [];
    return client.discovery(
      url,
      clientId,
      secret,
      secret === undefined ? client.None() : client.ClientSecretBasic(secret),
      { execute: [client.enableNonRepudiationChecks, ...plain], timeout: ANSWER_SECONDS },
    );
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

const reasonOf = (error: Error) => {
  const { code } = error as NodeJS.ErrnoException;
  return [error.message, code, (error.cause as Error | undefined)?.message].filter(Boolean).join(', ');
};

/** A network that fails, or a proxy in front that does, is no answer of the provider. */
function refuse(error: Error): never {
  const { name, code, cause } = error as Error & { code?: string };
  const isNetwork =
    (name === 'TypeError' && code === undefined) || code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT';
  const isDown = cause instanceof Response && cause.status >= 500;
  throw new SignInError(isNetwork || isDown ? 'unreachable' : 'refused', reasonOf(error), { cause: error });
}
