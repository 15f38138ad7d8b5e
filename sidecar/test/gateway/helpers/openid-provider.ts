import type { Server } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { type Configuration, Provider } from 'oidc-provider';
import { freePort } from '../../../../test/helpers/free-port.ts';

/** A real OpenID provider, of another making than our client. */
export interface OpenIdProvider {
  readonly issuer: string;
  stop(): Promise<void>;
}

const GROUPS: Readonly<Record<string, string[]>> = { alice: ['cryo-em'], bob: ['others'] };

/** Anybody signs in with any password, by its own form; `alice` is in the group `cryo-em`. */
export async function startOpenIdProvider({
  port = undefined as number | undefined,
  callback,
  secret,
}: {
  port?: number;
  callback: string;
  /** Absent: a public client. */
  secret?: string;
}): Promise<OpenIdProvider> {
  const at = port ?? (await freePort());
  const issuer = `http://127.0.0.1:${at}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: `key-${Math.random()}` };
  const configuration: Configuration = {
    clients: [
      {
        client_id: 'scipion',
        ...(secret === undefined ? { token_endpoint_auth_method: 'none' } : { client_secret: secret }),
        redirect_uris: [callback],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    jwks: { keys: [key] },
    cookies: { keys: ['of a test'] },
    pkce: { required: () => true },
    scopes: ['openid', 'groups'],
    claims: { openid: ['sub'], groups: ['groups'] },
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    findAccount: async (_context, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, groups: GROUPS[id] ?? [] }),
    }),
    // Who has signed in has agreed.
    async loadExistingGrant(context) {
      const { client, session, provider } = context.oidc;
      const grant = new provider.Grant({
        clientId: client?.clientId ?? '',
        accountId: session?.accountId ?? '',
      });
      grant.addOIDCScope('openid groups');
      await grant.save();
      return grant;
    },
  };
  const provider = new Provider(issuer, configuration);
  const server = await new Promise<Server>((resolve) => {
    const listening: Server = provider.listen(at, '127.0.0.1', () => resolve(listening));
  });
  return {
    issuer,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
