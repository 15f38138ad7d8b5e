import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { type RunningGateway, startGateway } from './start-gateway.ts';

/** An OpenID provider that lies as it is told; what it does when nobody tells it anything is right. */
export interface Behaviour {
  /** Each answers in the place of the right answer. */
  discovery?: (response: ServerResponse, right: object) => void;
  keys?: (response: ServerResponse) => void;
  token?: (response: ServerResponse) => void;
  /** Claims of the ID token. */
  claims?: (right: JWTPayload) => JWTPayload;
  /** What signs it. */
  sign?: (claims: JWTPayload) => Promise<string>;
  userInfo?: Record<string, unknown>;
}

export interface FakeProvider {
  readonly issuer: string;
  behaviour: Behaviour;
  /** Bodies that came to the token endpoint, and how the client proved itself. */
  readonly trades: URLSearchParams[];
  readonly proofs: (string | undefined)[];
  readonly requests: string[];
  /** From now on another key signs. */
  rotateKey(): Promise<void>;
  /** Signs with a key that is not published. */
  signElsewhere(claims: JWTPayload): Promise<string>;
  stop(): Promise<void>;
}

export const json = (response: ServerResponse, status: number, content: unknown) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));

async function newKey(number: number) {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const kid = `key-${number}`;
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' };
  const sign = (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
  return { jwk, sign };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

export async function startFakeProvider(): Promise<FakeProvider> {
  let [number, key] = [0, await newKey(0)];
  const elsewhere = await newKey(0);
  const trades: URLSearchParams[] = [];
  const proofs: (string | undefined)[] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;

  /** A code is the nonce and the challenge of its sign-in, so that nothing has to be kept. */
  async function trade(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = new URLSearchParams(await textOf(request));
    trades.push(body);
    proofs.push(request.headers.authorization);
    if (provider.behaviour.token) {
      provider.behaviour.token(response);
      return;
    }
    const [nonce, challenge] = (body.get('code') ?? '').split('.');
    const proof = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (proof !== challenge) return json(response, 400, { error: 'invalid_grant' });
    const now = Math.floor(Date.now() / 1000);
    const right = {
      iss: issuer,
      aud: 'scipion',
      sub: 'alice',
      nonce,
      iat: now,
      exp: now + 300,
    } as JWTPayload;
    const claims = provider.behaviour.claims?.(right) ?? right;
    const id_token = await (provider.behaviour.sign ?? key.sign)(claims);
    json(response, 200, { access_token: 'access', token_type: 'Bearer', expires_in: 300, id_token });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { behaviour } = provider;
    const path = new URL(request.url ?? '', issuer).pathname;
    requests.push(path);
    switch (path) {
      case '/.well-known/openid-configuration': {
        const right = {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/me`,
          jwks_uri: `${issuer}/keys`,
          end_session_endpoint: `${issuer}/end`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
        };
        return behaviour.discovery ? behaviour.discovery(response, right) : json(response, 200, right);
      }
      case '/keys':
        return behaviour.keys ? behaviour.keys(response) : json(response, 200, { keys: [key.jwk] });
      case '/token':
        return trade(request, response);
      case '/me':
        return json(response, 200, { sub: 'alice', ...behaviour.userInfo });
      default:
        return json(response, 404, {});
    }
  }

  const provider: FakeProvider = {
    issuer,
    behaviour: {},
    trades,
    proofs,
    requests,
    async rotateKey() {
      number += 1;
      key = await newKey(number);
    },
    signElsewhere: (claims) => elsewhere.sign(claims),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return provider;
}

export const CLIENT_SECRET = 'a secret: 100% & more';

export const SIGN_IN = {
  clientId: 'scipion',
  scopes: ['openid', 'profile'],
  userClaim: 'sub',
  users: ['alice'],
  groupClaim: 'groups',
  groups: ['cryo-em'],
};

export interface SignInGateway {
  readonly provider: FakeProvider;
  readonly gateway: RunningGateway;
}

export async function startSignInGateway(
  config: Partial<typeof SIGN_IN> & { readonly passwordLogin?: boolean } = {},
): Promise<SignInGateway> {
  const provider = await startFakeProvider();
  const { passwordLogin = true, ...rest } = config;
  const signIn = { ...SIGN_IN, issuer: provider.issuer, ...rest };
  const gateway = await startGateway({ config: { signIn, passwordLogin }, clientSecret: CLIENT_SECRET });
  return { provider, gateway };
}

/** What a browser holds that was sent to the provider. */
export interface Begun {
  readonly cookie: string;
  readonly state: string;
  readonly code: string;
}

export async function beginSignIn({ gateway }: Pick<SignInGateway, 'gateway'>): Promise<Begun | Response> {
  const answer = await fetch(`${gateway.origin}/login/openid`, { redirect: 'manual' });
  if (answer.status !== 303) return answer;
  const { searchParams } = new URL(answer.headers.get('location') ?? '');
  const cookie = answer.headers.getSetCookie().find((each) => each.startsWith('__Host-scipion-sign-in='));
  return {
    cookie: cookie?.split(';')[0] ?? '',
    state: searchParams.get('state') ?? '',
    code: `${searchParams.get('nonce')}.${searchParams.get('code_challenge')}`,
  };
}

/** Comes back from the provider. */
export const comeBack = (
  { gateway }: Pick<SignInGateway, 'gateway'>,
  { cookie, ...query }: Partial<Begun> & Record<string, string>,
): Promise<Response> =>
  fetch(`${gateway.origin}/login/openid/callback?${new URLSearchParams(query)}`, {
    headers: cookie === undefined ? {} : { cookie },
    redirect: 'manual',
  });

/** The whole way; the answer of the callback, or of the beginning where that failed. */
export async function signIn(at: Pick<SignInGateway, 'gateway'>): Promise<Response> {
  const begun = await beginSignIn(at);
  return begun instanceof Response ? begun : comeBack(at, { ...begun });
}

/** The sentence of a login page. */
export async function noticeOf(answer: Response): Promise<string> {
  const [, notice = ''] = /id="notice"[^>]*>([^<]*)</.exec(await answer.text()) ?? [];
  return notice;
}
