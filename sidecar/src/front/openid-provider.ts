import { rootCertificates } from 'node:tls';
import * as client from 'openid-client';
import { Agent, request } from 'undici';

/** An OpenID provider as its clients ask it: bounded in time and size, with errors that say whose they are. */

/** Of each request to the provider, from connecting to its last byte. */
const REQUEST_SECONDS = 8;
/** Of all requests of one sign-in together; a person waits for it. */
const WHOLE_MS = 15_000;
/** Metadata, keys, tokens and what is said of a user: each is a few KiB. */
const MAX_ANSWER_BYTES = 512 * 1024;
/** What the provider says of itself is used for so long without asking again. */
const METADATA_MS = 10 * 60_000;
/** After a failure so long nobody asks it, and all hear of the failure. */
const FAILED_MS = 2000;
/** By which the clocks of provider and client may differ. */
const CLOCK_TOLERANCE_SECONDS = 60;
const NULL_BODY = new Set([204, 205, 304]);

/**
 * `unreachable`, `slow`: nothing was heard. `unusable`: what was heard is no answer of an OpenID provider. `unknown-client`: it
 * does not take our id or secret. `foreign`: the answer is not of this sign-in, or was used or changed. `clock`: the clocks
 * differ. `denied`: it says so itself.
 */
export type ProviderReason =
  | 'unreachable'
  | 'slow'
  | 'unusable'
  | 'unknown-client'
  | 'foreign'
  | 'clock'
  | 'denied';

/** Message and detail hold no code, token or secret. */
export class ProviderError extends Error {
  override readonly name: string = 'ProviderError';
  readonly reason: ProviderReason;
  /** For a person: the error that the provider gave. */
  readonly detail: string;

  constructor(reason: ProviderReason, message: string, detail = '', options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.detail = detail;
  }
}

/** Tie an answer to the browser that began; drawn for one sign-in. */
export interface SignInSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export const drawSignInSecrets = (): SignInSecrets => ({
  state: client.randomState(),
  nonce: client.randomNonce(),
  codeVerifier: client.randomPKCECodeVerifier(),
});

export interface ProviderOptions {
  /** As the provider names itself. Only where it is this very machine may it be asked in clear. */
  readonly issuer: string;
  readonly clientId: string;
  /** Empty: a public client, which has none. Asked at each look for the provider, since a mounted Secret may change. */
  readonly clientSecret: () => string;
  /** PEM bundle, trusted besides the well-known authorities. */
  readonly certificateAuthorities?: string | undefined;
  /** Where the provider sends the browser back to. */
  readonly redirectUri: string;
  readonly scope: string;
}

export type Claims = Readonly<Record<string, unknown>>;
type Tokens = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers;

/** What the provider gave for a code or a refresh token. */
export interface Grant {
  /** Of the ID token; absent where a refresh brought none. */
  readonly claims: (Claims & { readonly sub: string }) | undefined;
  readonly refreshToken: string | undefined;
  /** What the ID token does not say; empty where the provider has no such address. @throws ProviderError */
  more(subject: string): Promise<Claims>;
}

/** A client of one provider, by authorization code with PKCE, state and nonce. */
export class OpenIdProvider {
  readonly #options: ProviderOptions;
  readonly #agent: Agent;
  #known: { readonly configuration: client.Configuration; readonly at: number } | undefined;
  #asking: Promise<client.Configuration> | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;

  constructor(options: ProviderOptions) {
    this.#options = options;
    const { certificateAuthorities } = options;
    this.#agent = new Agent({
      connections: 16,
      connect: certificateAuthorities ? { ca: [...rootCertificates, certificateAuthorities] } : {},
    });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Where to send the browser. @throws ProviderError */
  async begin({ state, nonce, codeVerifier }: SignInSecrets): Promise<URL> {
    const { redirectUri, scope } = this.#options;
    return explained(async () =>
      client.buildAuthorizationUrl(await this.#configuration(), {
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      }),
    );
  }

  /**
   * Trades what the browser brought back. Keys and metadata are asked for anew, so that keys that were changed a moment
   * ago are known.
   * @param query of the address to which the browser was sent back
   * @throws ProviderError
   */
  async finish(query: URLSearchParams, { state, nonce, codeVerifier }: SignInSecrets): Promise<Grant> {
    if (query.get('state') !== state)
      throw new ProviderError('foreign', 'The state is not the one of this sign-in.');
    const address = new URL(this.#options.redirectUri);
    address.search = query.toString();
    return explained(async () => {
      const configuration = await this.#discover(AbortSignal.timeout(WHOLE_MS));
      const tokens = await client.authorizationCodeGrant(configuration, address, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        idTokenExpected: true,
      });
      return grantOf(configuration, tokens);
    });
  }

  /** Asks again who somebody is. The token that is given may be used up. @throws ProviderError */
  async refresh(refreshToken: string): Promise<Grant> {
    return explained(async () => {
      const configuration = await this.#configuration();
      return grantOf(configuration, await client.refreshTokenGrant(configuration, refreshToken));
    });
  }

  /**
   * Where its user signs out of the provider itself; undefined where it has no such address. No token is in it.
   * @param backTo where the browser goes afterwards
   * @throws ProviderError
   */
  async endAddress(backTo?: string): Promise<URL | undefined> {
    return explained(async () => {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      return client.buildEndSessionUrl(
        configuration,
        backTo === undefined ? {} : { post_logout_redirect_uri: backTo },
      );
    });
  }

  /** The provider takes the refresh token back, where it can. @throws ProviderError */
  async revoke(refreshToken: string): Promise<void> {
    await explained(async () => {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().revocation_endpoint === undefined) return;
      await client.tokenRevocation(configuration, refreshToken, { token_type_hint: 'refresh_token' });
    });
  }

  /** What the provider says of itself, at most some minutes old. Many who ask at once ask it once. */
  async #configuration(): Promise<client.Configuration> {
    const now = performance.now();
    if (this.#known && now - this.#known.at < METADATA_MS) return this.#known.configuration;
    if (this.#failure && now - this.#failure.at < FAILED_MS) throw this.#failure.error;
    this.#asking ??= this.#discover()
      .then((configuration) => {
        this.#known = { configuration, at: performance.now() };
        return configuration;
      })
      .catch((error: unknown) => {
        this.#failure = { error, at: performance.now() };
        throw error;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  /** @param whole ends all that is asked with what this answers */
  #discover(whole?: AbortSignal): Promise<client.Configuration> {
    const { clientId, clientSecret } = this.#options;
    const issuer = new URL(this.#options.issuer);
    const secret = clientSecret();
    return client.discovery(
      issuer,
      clientId,
      { [client.clockTolerance]: CLOCK_TOLERANCE_SECONDS },
      (...given) => authentication(secret, given[0])(...given),
      {
        timeout: REQUEST_SECONDS,
        [client.customFetch]: (url, options) => this.#fetch(url, options, whole),
        execute: [
          client.enableNonRepudiationChecks,
          // The schemas of both configurations let no other host than this machine be asked in clear.
          ...(issuer.protocol === 'http:' ? [client.allowInsecureRequests] : []),
        ],
      },
    );
  }

  async #fetch(url: string, options: client.CustomFetchOptions, whole?: AbortSignal): Promise<Response> {
    const { method, headers, body, signal } = options;
    const isOver = AbortSignal.any([whole, signal].filter((each) => each !== undefined));
    try {
      const answer = await request(url, {
        method: method as 'GET' | 'POST',
        headers,
        body:
          body instanceof URLSearchParams ? body.toString() : ((body as string | null | undefined) ?? null),
        signal: isOver,
        dispatcher: this.#agent,
      });
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of answer.body) {
        length += (chunk as Buffer).length;
        if (length > MAX_ANSWER_BYTES)
          throw new ProviderError('unusable', `The answer of ${url} has no end.`);
        chunks.push(chunk as Buffer);
      }
      const content = NULL_BODY.has(answer.statusCode) ? null : Buffer.concat(chunks);
      const type = answer.headers['content-type'];
      return new Response(content, {
        status: answer.statusCode,
        headers: type === undefined ? {} : { 'content-type': String(type) },
      });
    } catch (cause) {
      if (cause instanceof ProviderError) throw cause;
      if (isOver.aborted) throw new ProviderError('slow', `${url} did not answer in time.`, '', { cause });
      throw new ProviderError('unreachable', `${url} cannot be reached (${codeOf(cause)}).`, '', { cause });
    }
  }
}

function grantOf(configuration: client.Configuration, tokens: Tokens): Grant {
  return {
    claims: tokens.claims() as Grant['claims'],
    refreshToken: tokens.refresh_token,
    more: async (subject) => {
      if (configuration.serverMetadata().userinfo_endpoint === undefined) return {};
      return explained(() => client.fetchUserInfo(configuration, tokens.access_token, subject));
    },
  };
}

/** The way that the provider wants the secret, by the specification's default where it does not say. */
function authentication(
  secret: string,
  { token_endpoint_auth_methods_supported: ways }: client.ServerMetadata,
) {
  if (secret === '') return client.None();
  const isBasic = ways === undefined || ways.includes('client_secret_basic');
  return isBasic ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
}

const codeOf = (error: unknown) =>
  (error as NodeJS.ErrnoException).code ?? (error as Error).name ?? 'unknown';

const CLOCK = 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED';
const FOREIGN = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
]);

async function explained<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw explain(error);
  }
}

function explain(error: unknown): ProviderError {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProviderError) return cause;
  }
  const options = { cause: error };
  if (error instanceof client.AuthorizationResponseError) {
    // What it says besides would be a stranger's sentence on our page.
    const named = /^[a-z_]{1,40}$/.test(error.error) ? error.error : '';
    return new ProviderError('denied', `The sign-in server refused: ${named}`, named, options);
  }
  if (error instanceof client.ResponseBodyError) {
    const isOurs = ['invalid_client', 'unauthorized_client'].includes(error.error);
    const reason = isOurs ? 'unknown-client' : error.error === 'invalid_grant' ? 'foreign' : 'unusable';
    return new ProviderError(
      reason,
      `The sign-in server did not trade the code (${error.status}).`,
      '',
      options,
    );
  }
  const code = (error as { code?: string }).code ?? '';
  const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
  const message = `${(error as Error).message}${why === '' ? '' : `: ${why}`} (${code})`;
  if (code === 'OAUTH_TIMEOUT') return new ProviderError('slow', message, '', options);
  if (code === CLOCK) return new ProviderError('clock', message, '', options);
  return new ProviderError(FOREIGN.has(code) ? 'foreign' : 'unusable', message, '', options);
}
