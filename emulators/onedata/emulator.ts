import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathCaveat } from './access.ts';
import { makeAdminListener } from './admin/routes.ts';
import { tlsMaterial } from './certificates.ts';
import {
  type EmulatorConfiguration,
  type EmulatorOptions,
  parseConfiguration,
  type SpaceConfiguration,
} from './configuration.ts';
import type { Context, Emulator } from './context.ts';
import { Faults } from './faults.ts';
import { makeListener } from './http/server.ts';
import { providersOf } from './provider/provider.ts';
import { Refusals } from './refusals.ts';
import { copyIn } from './store/archive.ts';
import { nowSeconds } from './store/file-tree.ts';
import { Spaces } from './store/spaces.ts';
import { type Caveat, type MintRequest, TokenAuthority } from './tokens.ts';

/** As with the original, after so many requests a kept-alive connection ends. */
const REQUESTS_PER_CONNECTION = 30;
/** Without those that outlast quantum computers: more work for each connection, and there is one each 30 requests. */
const KEY_EXCHANGE = 'X25519:P-256:P-384';
const HEADER_TIMEOUT_MS = 30_000;
const MAXIMUM_HEADER_BYTES = 2 * 1_048_576;

/** Starts zone, provider and admin API. Resolves when all of them accept connections. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const configuration = parseConfiguration(options);
  mkdirSync(configuration.dataDirectory, { recursive: true, mode: 0o700 });
  const tls = await tlsMaterial(configuration);
  const spaces = new Spaces(configuration.dataDirectory);
  await spaces.recover();
  const addSpace = async (space: SpaceConfiguration) => {
    const isNew = spaces.upsert(space);
    if (isNew && space.seedFrom !== undefined) await copyIn(spaces, spaces.root(space.id), space.seedFrom);
    await spaces.tree.settled();
  };
  for (const space of configuration.spaces) await addSpace(space);

  let context: Context | undefined;
  const server = createServer(
    {
      key: tls.keyPem,
      cert: tls.certificatePem,
      ecdhCurve: KEY_EXCHANGE,
      maxHeaderSize: MAXIMUM_HEADER_BYTES,
      headersTimeout: HEADER_TIMEOUT_MS,
      requestTimeout: 0,
    },
    makeListener(
      () => context as Context,
      (error) => process.stderr.write(`${String(error)}\n`),
    ),
  );
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION;
  await listen(server, () => server.listen(configuration.listen.port, configuration.listen.host));
  const { port } = server.address() as AddressInfo;
  context = makeContext(configuration, spaces, port);
  const tokenFiles = writeTokens(context);

  const adminSocket = configuration.adminSocket ?? join(configuration.dataDirectory, 'admin.sock');
  const emulator: Emulator = {
    context,
    port,
    providerHost: context.provider.domain,
    zoneHost: context.zoneDomain,
    authorityPem: tls.authorityPem,
    authorityFile: tls.authorityFile,
    adminSocket,
    tokenFiles,
    mint: (request) => mint(context, request),
    revoke: (id) => revoke(spaces, id),
    revokeTemporary: (userId) =>
      spaces.tree.run(
        'INSERT INTO generations VALUES (?,2) ON CONFLICT(user) DO UPDATE SET generation = generation + 1',
        userId,
      ),
    addSpace,
    close: async () => {
      await Promise.all([shut(server), shut(admin)]);
      await spaces.close();
    },
  };
  const admin = createHttpServer({ requestTimeout: 0 }, makeAdminListener(emulator));
  rmSync(adminSocket, { force: true });
  await listen(admin, () => admin.listen(adminSocket));
  chmodSync(adminSocket, 0o600);
  return emulator;
}

function makeContext(configuration: EmulatorConfiguration, spaces: Spaces, port: number): Context {
  const publicPort = configuration.publicPort ?? port;
  const withPort = (host: string) => (publicPort === 443 ? host : `${host}:${publicPort}`);
  const providers = providersOf(configuration, withPort);
  return {
    configuration,
    provider: providers[0],
    providers,
    spaces,
    tokens: new TokenAuthority({
      rootKey: rootKey(configuration.dataDirectory),
      domain: configuration.zoneHost,
      userId: configuration.userId,
      isRevoked: (id) => Boolean(spaces.tree.one('SELECT 1 FROM tokens WHERE id = ? AND revoked = 1', id)),
      generationOf: (userId) =>
        spaces.tree.one<{ generation: number }>('SELECT generation FROM generations WHERE user = ?', userId)
          ?.generation ?? 1,
    }),
    faults: new Faults(),
    refusals: new Refusals(),
    downloads: new Map(),
    zoneDomain: withPort(configuration.zoneHost),
  };
}

/** Kept, so that tokens stay valid over restarts. */
function rootKey(dataDirectory: string): Buffer {
  const file = join(dataDirectory, 'token-key');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32), { mode: 0o600 });
  return readFileSync(file);
}

function mint(context: Context, request: MintRequest = {}): { token: string; id: string } {
  const { userId, users } = context.configuration;
  const known = [userId, ...users.map(({ id }) => id)];
  if (request.userId !== undefined && !known.includes(request.userId)) {
    throw new Error(`no user ${JSON.stringify(request.userId)}; there are: ${known.join(', ')}`);
  }
  const made = context.tokens.mint(request);
  context.spaces.tree.run('INSERT INTO tokens VALUES (?,?,?,?,0)', made.id, null, null, null);
  return made;
}

function revoke(spaces: Spaces, id: string): void {
  spaces.tree.run(
    'INSERT INTO tokens VALUES (?,NULL,NULL,NULL,1) ON CONFLICT(id) DO UPDATE SET revoked = 1',
    id,
  );
}

/** The configured tokens: the same ones at every start as long as what they allow is the same. */
function writeTokens(context: Context): Record<string, string> {
  const { configuration, spaces } = context;
  const directory = join(configuration.dataDirectory, 'tokens');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files: Record<string, string> = {};
  for (const { name, readonly, spaces: spaceIds } of configuration.tokens) {
    const caveats: Caveat[] = [
      ...(readonly ? [{ type: 'data.readonly' } as const] : []),
      ...(spaceIds.length > 0 ? [pathCaveat(spaceIds)] : []),
    ];
    const request = JSON.stringify(caveats);
    const kept = spaces.tree.one<{ token: string }>(
      'SELECT token FROM tokens WHERE name = ? AND request = ? AND revoked = 0',
      name,
      request,
    );
    const usable = kept && isUsable(context, kept.token) ? kept.token : undefined;
    const made = usable ? undefined : context.tokens.mint({ caveats });
    if (made) {
      spaces.tree.run('DELETE FROM tokens WHERE name = ? AND request = ?', name, request);
      spaces.tree.run('INSERT INTO tokens VALUES (?,?,?,?,0)', made.id, name, made.token, request);
    }
    const file = join(directory, name);
    writeFileSync(file, usable ?? made?.token ?? '', { mode: 0o600 });
    files[name] = file;
  }
  return files;
}

/** Not any more after the zone got another name. */
function isUsable({ tokens }: Context, token: string): boolean {
  try {
    tokens.verify(token, { now: nowSeconds(), peerAddress: '127.0.0.1' });
    return true;
  } catch {
    return false;
  }
}

async function listen(server: Server, start: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => resolve());
    start();
  });
}

async function shut(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
