import type { SignInConfig } from '../../contract/config.ts';
import { type Claims, OpenIdProvider, ProviderError, type SignInSecrets } from '../front/openid-provider.ts';
import type { SignInReason } from './sign-in-reason.ts';

/** A sign-in that failed. Message and detail hold no code, token or secret. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
  readonly reason: SignInReason;
  /** For a person: whom the server named, or the error that it gave. */
  readonly detail: string;

  constructor(reason: SignInReason, message: string, detail = '', options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.detail = detail;
  }
}

export interface SignInOptions {
  readonly config: SignInConfig;
  /** Empty: a public client, which has none. Asked at each sign-in, since the mounted Secret may change. */
  readonly clientSecret: () => string;
  /** Where the server sends the browser back to. */
  readonly redirectUri: string;
}

/** Sign-in at an OpenID provider, and who of its users may come in. */
export class SignIn {
  readonly #config: SignInConfig;
  readonly #provider: OpenIdProvider;

  constructor({ config, clientSecret, redirectUri }: SignInOptions) {
    const { issuer, clientId, certificateAuthorities, scopes } = config;
    this.#config = config;
    this.#provider = new OpenIdProvider({
      ...{ issuer, clientId, clientSecret, certificateAuthorities, redirectUri },
      scope: scopes.join(' '),
    });
  }

  /** Address of the server, as its user knows it. */
  get host(): string {
    return new URL(this.#config.issuer).host;
  }

  async close(): Promise<void> {
    await this.#provider.close();
  }

  /** Where to send the browser. @throws SignInError */
  async begin(secrets: SignInSecrets): Promise<URL> {
    return this.#worded(() => this.#provider.begin(secrets));
  }

  /**
   * Trades what the browser brought back for the name of its user.
   * @param query of the address to which the browser was sent back
   * @throws SignInError
   */
  async finish(query: URLSearchParams, secrets: SignInSecrets): Promise<string> {
    return this.#worded(async () => {
      const { claims, more } = await this.#provider.finish(query, secrets);
      if (claims === undefined) throw new ProviderError('unusable', 'The answer names no user.');
      return this.#admit(claims, () => more(claims.sub));
    });
  }

  /** Where its user signs out of the server itself; undefined where it has no such address. @throws SignInError */
  async endAddress(): Promise<URL | undefined> {
    return this.#worded(() => this.#provider.endAddress());
  }

  /** The name of a user who may come in; `askMore` is for what the token does not say. */
  async #admit(fromToken: Claims, askMore: () => Promise<Claims>): Promise<string> {
    const { users, userClaim, groups, groupClaim } = this.#config;
    const isEmail = userClaim === 'email';
    const needed = [
      ...(users.length > 0 ? [userClaim, ...(isEmail ? ['email_verified'] : [])] : []),
      ...(groups.length > 0 ? [groupClaim] : []),
    ];
    const isMissing = needed.some((name) => claimOf(fromToken, name) === undefined);
    const claims = isMissing ? { ...(await askMore()), ...fromToken } : fromToken;
    const user = textsOf(claimOf(claims, userClaim))[0];
    const name = user ?? String(claims.sub);
    const isMember = textsOf(claimOf(claims, groupClaim)).some((group) => groups.includes(group));
    if (isMember) return name;
    if (user === undefined || !users.includes(user)) {
      throw new SignInError('not-allowed', 'The user is not one of those that may open this desktop.', name);
    }
    // Anybody may call any address theirs at some providers, until it is verified.
    if (isEmail && claims.email_verified !== true) {
      throw new SignInError('email-unverified', 'The e-mail address is not verified.', name);
    }
    return name;
  }

  async #worded<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      if (!(cause instanceof ProviderError)) throw cause;
      throw new SignInError(cause.reason, cause.message, cause.detail, { cause });
    }
  }
}

/** A claim by its name, or by the names on the way to it with dots between. */
function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let found: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return undefined;
    found = (found as Claims)[part];
  }
  return found;
}

const textsOf = (claim: unknown): string[] =>
  [claim].flat().filter((value): value is string => typeof value === 'string');
