import { rootCertificates } from 'node:tls';
import * as client from 'openid-client';
import { Agent, request } from 'undici';
import type { SignInConfig } from '../../contract/config.ts';
import type { SignInReason } from './sign-in-reason.ts';

/** Of each request to the sign-in server, from connecting to its last byte. */
const REQUEST_SECONDS = 8;
/** Of all requests of one sign-in together; a person waits for it. */
const WHOLE_MS = 15_000;
/** Metadata, keys, tokens and what is said of a user: each is a few KiB. */
const MAX_ANSWER_BYTES = 512 * 1024;
/** What the server says of itself is used for so long without asking again. */
const METADATA_MS = 10 * 60_000;
/** After a failure so long nobody asks it, and all hear of the failure. */
const FAILED_MS = 2000;
/** By which the clocks of sign-in server and gateway may differ. */
const CLOCK_TOLERANCE_SECONDS = 60;
const NULL_BODY = new Set([204, 205, 304]);

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

/** Tie an answer to the browser that began; drawn for one sign-in. */
export interface SignInSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export interface SignInOptions {
  readonly config: SignInConfig;
  /** Empty: a public client, which has none. Asked at each sign-in, since the mounted Secret may change. */
  readonly clientSecret: () => string;
  /** Where the server sends the browser back to. */
  readonly redirectUri: string;
}

type Claims = Readonly<Record<string, unknown>>;

/** Sign-in at an OpenID provider, by authorization code with PKCE. */
export class SignIn {
  readonly #options: SignInOptions;
  readonly #agent: Agent;
  #known: { readonly configuration: client.Configuration; readonly at: number } | undefined;
  #asking: Promise<client.Configuration> | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;

  constructor(options: SignInOptions) {
    this.#options = options;
    const { certificateAuthorities } = options.config;
    this.#agent = new Agent({
      connections: 16,
      connect: certificateAuthorities ? { ca: [...rootCertificates, certificateAuthorities] } : {},
    });
  }

  /** Address of the server, as its user knows it. */
  get host(): string {
    return new URL(this.#options.config.issuer).host;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Where to send the browser. @throws SignInError */
  async begin({ state, nonce, codeVerifier }: SignInSecrets): Promise<URL> {
    const { config, redirectUri } = this.#options;
    return this.#explained(async () =>
      client.buildAuthorizationUrl(await this.#configuration(), {
        redirect_uri: redirectUri,
        scope: config.scopes.join(' '),
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      }),
    );
  }

  /**
   * Trades what the browser brought back for the name of its user. Keys and metadata are asked for anew, so that keys that
   * were changed a moment ago are known.
   * @param query of the address to which the browser was sent back
   * @throws SignInError
   */
  async finish(query: URLSearchParams, { state, nonce, codeVerifier }: SignInSecrets): Promise<string> {
    if (query.get('state') !== state)
      throw new SignInError('foreign', 'The state is not the one of this sign-in.');
    const address = new URL(this.#options.redirectUri);
    address.search = query.toString();
    return this.#explained(async () => {
      const configuration = await this.#discover(AbortSignal.timeout(WHOLE_MS));
      const tokens = await client.authorizationCodeGrant(configuration, address, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims() as Claims & { readonly sub: string };
      const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined;
      const askMore = async (): Promise<Claims> =>
        hasMore ? client.fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
      return this.#admit(claims, askMore);
    });
  }

  /** Where its user signs out of the server itself; undefined where it has no such address. @throws SignInError */
  async endAddress(): Promise<URL | undefined> {
    return this.#explained(async () => {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      return client.buildEndSessionUrl(configuration);
    });
  }

  /** The name of a user who may come in; `askMore` is for what the token does not say. */
  async #admit(fromToken: Claims, askMore: () => Promise<Claims>): Promise<string> {
    const { users, userClaim, groups, groupClaim } = this.#options.config;
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

  /** What the server says of itself, at most some minutes old. Many who ask at once ask it once. */
  async #configuration(): Promise<client.Configuration> {
    const now = performance.now();
    if (this.#known && now - this.#known.at < METADATA_MS) return this.#known.configuration;
    if (this.#failure && now - this.#failure.at < FAILED_MS) throw this.#failure.error;
    this.#asking ??= this.#discover(AbortSignal.timeout(WHOLE_MS))
      .catch((error: unknown) => {
        this.#failure = { error, at: performance.now() };
        throw error;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async #discover(whole: AbortSignal): Promise<client.Configuration> {
    const { config, clientSecret } = this.#options;
    const issuer = new URL(config.issuer);
    const secret = clientSecret();
    const configuration = await client.discovery(
      issuer,
      config.clientId,
      { [client.clockTolerance]: CLOCK_TOLERANCE_SECONDS },
      (...given) => authentication(secret, given[0])(...given),
      {
        timeout: REQUEST_SECONDS,
        [client.customFetch]: (url, options) => this.#fetch(url, options, whole),
        execute: [
          client.enableNonRepudiationChecks,
          // The schema of the configuration lets no other host than this machine be asked in clear.
          ...(issuer.protocol === 'http:' ? [client.allowInsecureRequests] : []),
        ],
      },
    );
    this.#known = { configuration, at: performance.now() };
    return configuration;
  }

  async #fetch(url: string, options: client.CustomFetchOptions, whole: AbortSignal): Promise<Response> {
    const { method, headers, body, signal } = options;
    const isOver = AbortSignal.any([whole, ...(signal ? [signal] : [])]);
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
        if (length > MAX_ANSWER_BYTES) throw new SignInError('unusable', `The answer of ${url} has no end.`);
        chunks.push(chunk as Buffer);
      }
      const content = NULL_BODY.has(answer.statusCode) ? null : Buffer.concat(chunks);
      const type = answer.headers['content-type'];
      return new Response(content, {
        status: answer.statusCode,
        headers: type === undefined ? {} : { 'content-type': String(type) },
      });
    } catch (cause) {
      if (cause instanceof SignInError) throw cause;
      if (isOver.aborted) throw new SignInError('slow', `${url} did not answer in time.`, '', { cause });
      throw new SignInError('unreachable', `${url} cannot be reached (${codeOf(cause)}).`, '', { cause });
    }
  }

  async #explained<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw explain(error);
    }
  }
}

/** The way that the server wants the secret, by the specification's default where it does not say. */
function authentication(
  secret: string,
  { token_endpoint_auth_methods_supported: ways }: client.ServerMetadata,
) {
  if (secret === '') return client.None();
  const isBasic = ways === undefined || ways.includes('client_secret_basic');
  return isBasic ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
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

const codeOf = (error: unknown) =>
  (error as NodeJS.ErrnoException).code ?? (error as Error).name ?? 'unknown';

const CLOCK = 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED';
const FOREIGN = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
]);

function explain(error: unknown): SignInError {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof SignInError) return cause;
  }
  const options = { cause: error };
  if (error instanceof client.AuthorizationResponseError) {
    // What it says besides would be a stranger's sentence on our page.
    const named = /^[a-z_]{1,40}$/.test(error.error) ? error.error : '';
    return new SignInError('denied', `The sign-in server refused: ${named}`, named, options);
  }
  if (error instanceof client.ResponseBodyError) {
    const isOurs = ['invalid_client', 'unauthorized_client'].includes(error.error);
    const reason = isOurs ? 'unknown-client' : error.error === 'invalid_grant' ? 'foreign' : 'unusable';
    return new SignInError(
      reason,
      `The sign-in server did not trade the code (${error.status}).`,
      '',
      options,
    );
  }
  const code = (error as { code?: string }).code ?? '';
  const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
  const message = `${(error as Error).message}${why === '' ? '' : `: ${why}`} (${code})`;
  if (code === 'OAUTH_TIMEOUT') return new SignInError('slow', message, '', options);
  if (code === CLOCK) return new SignInError('clock', message, '', options);
  return new SignInError(FOREIGN.has(code) ? 'foreign' : 'unusable', message, '', options);
}
