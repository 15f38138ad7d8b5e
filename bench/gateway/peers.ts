import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { cookieOf, postLogin } from '../../sidecar/test/gateway/helpers/client.ts';
import { startGatewayProcess } from '../../sidecar/test/gateway/helpers/gateway-process.ts';
import { PASSWORD } from '../../sidecar/test/gateway/helpers/start-gateway.ts';
import { freePort } from '../../test/helpers/free-port.ts';

/** A way to the desktop's socket. */
export interface Peer {
  readonly name: string;
  readonly label: string;
  readonly port: number;
  readonly pid: number;
  readonly isWebSocket: boolean;
  readonly path: string;
  readonly cookie: string;
  stop(): Promise<void>;
}

export async function startDesktop(path: string): Promise<ChildProcess> {
  const program = new URL('desktop-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** The gateway as in the image; its desktop is at `vncSocket`. */
export async function startOurs(): Promise<Peer & { readonly vncSocket: string }> {
  const gateway = await startGatewayProcess();
  const cookie = cookieOf(await postLogin(gateway, PASSWORD), '__Host-scipion');
  return {
    name: 'ours',
    label: 'ours',
    port: Number(new URL(gateway.origin).port),
    pid: gateway.pid,
    isWebSocket: true,
    path: '/desktop',
    cookie,
    vncSocket: gateway.vncSocket,
    stop: () => gateway.stop(),
  };
}

async function startProgram(
  name: string,
  label: string,
  isWebSocket: boolean,
  args: (port: number) => readonly string[],
): Promise<Peer> {
  const port = await freePort();
  const [file = '', ...rest] = args(port);
  const child = spawn(file, rest, { stdio: 'ignore' });
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    const isUp = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isUp) break;
    if (tries > 100 || child.exitCode !== null) throw new Error(`${file} does not listen`);
    await sleep(100);
  }
  await sleep(500);
  return {
    name,
    label,
    port,
    pid: child.pid as number,
    isWebSocket,
    path: '/',
    cookie: '',
    stop: () => end(child),
  };
}

export const startWebsockify = (socket: string) =>
  startProgram('websockify', 'websockify', true, (port) => [
    'websockify',
    `--unix-target=${socket}`,
    `127.0.0.1:${port}`,
  ]);

/** No WebSocket and no checks: what a process between the two sockets costs at least. */
export const startBare = (socket: string) =>
  startProgram('socat', 'socat, without WebSocket (limit)', false, (port) => [
    'socat',
    '-b131072',
    `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,nodelay`,
    `UNIX-CONNECT:${socket}`,
  ]);
