import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type * as z from 'zod';
import { Fleet, OperationRecords } from '../../../automation/fleet/index.ts';
import { type FakeProject, fakeProject } from '../../../automation/fleet/test/fake-project.ts';
import type { InstanceCluster } from '../../../components/cluster-client.ts';
import type { Ask } from '../../../components/onedata-request.ts';
import { hashPassword } from '../../../sidecar/contract/password-hash.ts';
import { freePort } from '../../../test/helpers/free-port.ts';
import { createIdentity, type Identity } from '../../identity/provider.ts';
import type { LocalUsers } from '../../identity/users.ts';
import { type consoleConfigSchema, judgeConfig } from '../../src/config.ts';
import { type Console, createConsole } from '../../src/console.ts';
import type { CompareInstance } from '../../src/site/drifts.ts';
import { buildConsoleWeb } from '../../web/build.ts';

/** A console on loopback with a real sign-in service, on a fleet of which nothing is deployed. */

export const PASSWORD = 'a password of a test';

export interface RunningConsole {
  readonly console: Console;
  readonly identity: Identity;
  readonly fleet: Fleet;
  readonly project: FakeProject;
  readonly records: OperationRecords;
  readonly origin: string;
  readonly issuer: string;
  readonly folder: string;
  /** Changed by a test, they count at once. */
  readonly users: Record<string, { passwordHash: string; name: string; groups: string[] }>;
  /** Everything that was logged, as JSON lines. */
  readonly log: string[];
  /** What the audit log holds. */
  audit(): Record<string, string>[];
  /** All files of its folder, one after the other. */
  files(): string;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** As a file has it. */
  readonly config?: Partial<z.input<typeof consoleConfigSchema>>;
  readonly now?: () => number;
  readonly monotonic?: () => number;
  /** Of the rules; another console may have it too. */
  readonly rulesDirectory?: string;
  readonly ask?: Ask;
  readonly compare?: CompareInstance;
  /** What an engine takes for a run. */
  readonly milliseconds?: number;
  readonly openCluster?: () => InstanceCluster;
  readonly atOnce?: number;
  /** In place of one of which nothing is deployed. */
  readonly fleet?: Fleet;
}

let passwordHash: Promise<string> | undefined;

export async function startConsole(options: StartOptions = {}): Promise<RunningConsole> {
  const folder = mkdtempSync(join(tmpdir(), 'console-'));
  const webDirectory = join(folder, 'web');
  await buildConsoleWeb(webDirectory);
  const [port, issuerPort] = [await freePort(), await freePort()];
  const [origin, issuer] = [`http://localhost:${port}`, `http://localhost:${issuerPort}`];
  passwordHash ??= hashPassword(PASSWORD);
  const hash = await passwordHash;
  const user = (name: string, groups: string[]) => ({ passwordHash: hash, name, groups });
  const users = {
    jane: user('Jane', ['scientists']),
    joe: user('Joe', ['scientists']),
    olga: user('Olga', ['operators']),
    eve: user('Eve', []),
  };
  const secret = randomBytes(24).toString('base64url');
  const secretFile = join(folder, 'client-secret');
  writeFileSync(secretFile, secret);
  const identity = await createIdentity({
    issuer,
    consoleOrigin: origin,
    clientId: 'console',
    clientSecret: secret,
    users: () => users as LocalUsers,
    cookieKeys: [randomBytes(24).toString('base64url')],
    webDirectory,
  });
  await identity.app.listen({ host: '127.0.0.1', port: issuerPort });
  const config = judgeConfig(
    {
      publicOrigin: origin,
      signIn: { kind: 'openid', issuer, clientId: 'console', clientSecretFile: secretFile },
      userGroups: ['scientists'],
      operatorGroups: ['operators'],
      ...options.config,
    },
    'of a test',
  );
  const directory = mkdtempSync(join(folder, 'project-'));
  const project = fakeProject(directory, options.milliseconds ?? 1);
  const records = new OperationRecords(join(folder, 'operations'));
  const openCluster =
    options.openCluster ??
    (() => {
      throw new Error('no cluster here');
    });
  const atOnce = options.atOnce === undefined ? {} : { atOnce: options.atOnce };
  const fleet = options.fleet ?? new Fleet({ project, directory, records, openCluster, ...atOnce });
  const log: string[] = [];
  const console = await createConsole({
    config,
    fleet,
    webDirectory,
    stateDirectory: folder,
    logger: pino({ level: 'info' }, { write: (line) => void log.push(line) }),
    ...(options.ask ? { ask: options.ask } : {}),
    ...(options.compare ? { compare: options.compare } : {}),
    ...(options.now ? { now: options.now } : {}),
    ...(options.monotonic ? { monotonic: options.monotonic } : {}),
    ...(options.rulesDirectory ? { rulesDirectory: options.rulesDirectory } : {}),
  });
  await console.listen({ host: '127.0.0.1', port });
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch {
      return '';
    }
  };
  return {
    console,
    identity,
    fleet,
    project,
    records,
    origin,
    issuer,
    folder,
    users,
    log,
    audit: () =>
      read('audit.log')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, string>),
    files: () =>
      readdirSync(folder, { recursive: true })
        .map(String)
        .filter((name) => !name.startsWith('web'))
        .map(read)
        .join('\n'),
    async stop() {
      await console.close();
      await identity.app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
