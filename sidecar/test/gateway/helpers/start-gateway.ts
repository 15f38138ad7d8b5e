import { randomBytes, scryptSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { freePort } from '../../../../test/helpers/free-port.ts';
import type { GatewayConfig } from '../../../contract/config.ts';
import { createGateway, type Gateway } from '../../../src/gateway/gateway.ts';
import { openSecretStore } from '../../../src/gateway/settings.ts';
import { buildWeb } from '../../../web/build.ts';

export const PASSWORD = 'a long passphrase, with spaces & signs: ünïcode';

export interface RunningGateway {
  /** Another one after a restart. */
  readonly gateway: Gateway;
  /** Holds all that is its own; the project's volume is `project` in it. */
  readonly directory: string;
  readonly origin: string;
  readonly probesOrigin: string;
  readonly syncSocket: string;
  readonly vncSocket: string;
  readonly jobsSocket: string;
  readonly readyFile: string;
  readonly projectDirectory: string;
  readonly uploadsDirectory: string;
  /** Everything that was logged, as JSON lines. */
  readonly log: string[];
  setPassword(password: string): Promise<void>;
  /** Ends the gateway, changes its configuration if asked to, and starts it again with what was kept. */
  restart(config?: Partial<GatewayConfig>): Promise<void>;
  /** Base64 of the key of its sessions, as it is mounted. */
  readonly sessionKey: string;
  readonly stateDirectory: string;
  stop(): Promise<void>;
}

/** A stored hash that costs nothing to verify, so that tests can try many passwords. */
function cheapHash(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password.normalize('NFC'), salt, 32, { N: 16, r: 1, p: 1 });
  return `scrypt:16:1:1:${salt.toString('base64')}:${hash.toString('base64')}`;
}

const builtFolders: string[] = [];
const removeBuilt = () => {
  for (const folder of builtFolders.splice(0)) rmSync(folder, { recursive: true, force: true });
};
// A benchmark has no end of a test file.
if (process.env.VITEST) (await import('vitest')).afterAll(removeBuilt);
else process.once('exit', removeBuilt);

let built: Promise<string> | undefined;

/** The pages, built once for all gateways of this process; each only reads them. */
function builtWeb(): Promise<string> {
  built ??= (async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-web-'));
    builtFolders.push(folder);
    await buildWeb(folder);
    return folder;
  })();
  return built;
}

export interface StartOptions {
  readonly now?: () => number;
  readonly pingEveryMs?: number;
  readonly reportEveryMs?: number;
  readonly config?: Partial<GatewayConfig>;
  /** Of the client at the sign-in server. */
  readonly clientSecret?: string;
}

/** A gateway on loopback with a folder of its own for sockets, Secret and pages. */
export async function startGateway({
  config = {},
  clientSecret,
  ...options
}: StartOptions = {}): Promise<RunningGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  const secretDirectory = join(directory, 'secret');
  const webDirectory = await builtWeb();
  await mkdir(secretDirectory);
  const setPassword = (password: string) =>
    writeFile(join(secretDirectory, 'password-hash'), cheapHash(password));
  await setPassword(PASSWORD);
  const sessionKey = randomBytes(32).toString('base64');
  await writeFile(join(secretDirectory, 'session-key'), sessionKey);
  if (clientSecret !== undefined)
    await writeFile(join(secretDirectory, 'sign-in-client-secret'), clientSecret);
  const [port, probesPort] = [await freePort(), await freePort()];
  const origin = `http://localhost:${port}`;
  const paths = {
    syncSocket: join(directory, 'sync.sock'),
    vncSocket: join(directory, 'vnc.sock'),
    jobsSocket: join(directory, 'jobs.sock'),
    readyFile: join(directory, 'ready'),
    projectDirectory: join(directory, 'project/data'),
    uploadsDirectory: join(directory, 'project/uploads'),
  };
  await mkdir(paths.projectDirectory, { recursive: true });
  await mkdir(paths.uploadsDirectory);
  const log: string[] = [];
  const start = async (changed: Partial<GatewayConfig>) => {
    const started = await createGateway({
      config: { instance: 'demo', publicOrigin: origin, ...changed },
      secrets: openSecretStore(secretDirectory, () => undefined),
      webDirectory,
      stateDirectory: directory,
      logger: pino({ level: 'info' }, { write: (line) => void log.push(line) }),
      ...paths,
      ...options,
    });
    await started.listen({ host: '127.0.0.1', port, probesPort });
    return started;
  };
  let gateway = await start(config);
  return {
    get gateway() {
      return gateway;
    },
    sessionKey,
    stateDirectory: directory,
    async restart(changed = config) {
      await gateway.close();
      gateway = await start(changed);
    },
    directory,
    origin,
    probesOrigin: `http://localhost:${probesPort}`,
    ...paths,
    log,
    setPassword,
    async stop() {
      await gateway.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
