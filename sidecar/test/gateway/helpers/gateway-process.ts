import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../../test/helpers/free-port.ts';
import { bundle } from '../../../build.ts';
import { GATEWAY_NODE_FLAGS } from '../../../contract/node-flags.ts';
import { hashPassword } from '../../../contract/password-hash.ts';
import { buildWeb } from '../../../web/build.ts';
import { eventually } from './client.ts';
import { PASSWORD } from './start-gateway.ts';

const MAIN = join(import.meta.dirname, '../../../src/gateway/main.ts');

/** The gateway as a process of its own, bundled and with the flags of the image and a password hash that costs what a real one does. */
export interface GatewayProcess {
  readonly origin: string;
  readonly probesOrigin: string;
  readonly vncSocket: string;
  readonly pid: number;
  readonly isRunning: boolean;
  /** Highest resident memory so far, in MiB. */
  peakMebibytes(): number;
  openFiles(): number;
  /** Ends it as a crash would, and starts it again at the same place. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startGatewayProcess(): Promise<GatewayProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-process-'));
  const place = (name: string) => join(directory, name);
  await mkdir(place('secret'));
  for (const folder of ['state', 'data', 'uploads']) await mkdir(place(folder));
  await writeFile(place('secret/password-hash'), await hashPassword(PASSWORD, randomBytes(16)));
  await writeFile(place('secret/session-key'), randomBytes(32).toString('base64'));
  await buildWeb(place('web'));
  await bundle({ gateway: MAIN }, place('app'));
  const [port, probesPort] = [await freePort(), await freePort()];
  const origin = `http://localhost:${port}`;
  await writeFile(place('config.json'), JSON.stringify({ instance: 'demo', publicOrigin: origin }));
  const options = {
    config: place('config.json'),
    secrets: place('secret'),
    web: place('web'),
    state: place('state'),
    project: place('data'),
    uploads: place('uploads'),
    host: '127.0.0.1',
    port: String(port),
    'probes-port': String(probesPort),
    'sync-socket': place('sync.sock'),
    'vnc-socket': place('vnc.sock'),
    'ready-file': place('ready'),
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const probesOrigin = `http://localhost:${probesPort}`;
  let child: ChildProcess;
  async function start(): Promise<void> {
    child = spawn(process.execPath, [...GATEWAY_NODE_FLAGS, place('app/gateway.js'), ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await eventually(
      () =>
        fetch(`${probesOrigin}/readyz`).then(
          ({ status }) => status,
          () => 0,
        ),
      (status) => status === 200,
    );
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
  await start();
  return {
    origin,
    probesOrigin,
    vncSocket: place('vnc.sock'),
    get pid() {
      return child.pid as number;
    },
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    peakMebibytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
    },
    openFiles: () => readdirSync(`/proc/${child.pid}/fd`).length,
    async restart() {
      await end('SIGKILL');
      await start();
    },
    async stop() {
      await end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
