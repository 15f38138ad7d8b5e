import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const XVNC = '/usr/bin/Xvnc';
/** Debian packages of what is started here. */
export const XVNC_PACKAGES: readonly string[] = ['tigervnc-standalone-server', 'xterm', 'x11-utils', 'xclip'];

/** Why no VNC server can run here; undefined when one can. */
export function xvncMissing(): string | undefined {
  const missing = [XVNC, '/usr/bin/xterm', '/usr/bin/xwininfo', '/usr/bin/xclip'].filter(
    (path) => !existsSync(path),
  );
  return missing.length === 0
    ? undefined
    : `${missing.join(', ')} missing: install Debian's ${XVNC_PACKAGES.join(', ')}`;
}

export interface Xvnc {
  readonly display: string;
  /** Runs a program on the display until the server stops. */
  run(program: string, args: readonly string[]): void;
  /** Resolves when a window whose title begins with this is drawn. @throws Error after 30 s */
  waitForWindow(title: string): Promise<void>;
  /** Size of the screen in pixels. */
  size(): { width: number; height: number };
  /** Text in the clipboard. */
  clipboard(): string;
  /** Copies a text in the desktop. */
  setClipboard(text: string): void;
  /** It hangs: connections are made, and nothing is answered. */
  suspend(): void;
  resume(): void;
  stop(): Promise<void>;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

/** Other tests may run servers of their own at the same time, so the search starts at a random number. */
function freeDisplay(): string {
  for (let number = 100 + Math.floor(Math.random() * 800); ; number += 1) {
    if (!existsSync(`/tmp/.X${number}-lock`) && !existsSync(`/tmp/.X11-unix/X${number}`)) return `:${number}`;
  }
}

/** Ends with 0 once the last of the letters that have a key code from the start has its own: the euro sign. */
const HAS_LETTERS = `from scipion_desktop.key_codes import Display
raise SystemExit(not any(0x20AC in symbols for symbols in Display().mapping().values()))`;

/** A real VNC server as the desktop image starts it: on a Unix socket only, without a password. */
export async function startXvnc(socketPath: string, display = freeDisplay()): Promise<Xvnc> {
  const args = [display, '-rfbport', '-1', '-rfbunixpath', socketPath, '-rfbunixmode', '0600'];
  args.push(
    '-SecurityTypes',
    'None',
    '-AlwaysShared',
    '-MaxCutText',
    String(8 * 1024 * 1024),
    '-nolisten',
    'tcp',
    '-geometry',
    '1024x768',
    '-depth',
    '24',
  );
  const server = spawn(XVNC, args, { stdio: 'ignore' });
  const programs: ChildProcess[] = [];
  const number = display.slice(1);
  const isUp = () => existsSync(socketPath) && existsSync(join('/tmp/.X11-unix', `X${number}`));
  for (let tries = 0; !isUp(); tries += 1) {
    if (tries > 200 || server.exitCode !== null) throw new Error(`Xvnc ${display} did not start`);
    await sleep(50);
  }
  const env = { ...process.env, DISPLAY: display, LANG: 'C.UTF-8' };
  const library = join(import.meta.dirname, '../../desktop/lib');
  const pythonEnv = { ...env, PYTHONPATH: library, PYTHONDONTWRITEBYTECODE: '1' };
  for (const helper of ['key_codes', 'clipboard']) {
    programs.push(
      spawn('python3', ['-c', `from scipion_desktop.${helper} import main; main()`], {
        stdio: 'ignore',
        env: pythonEnv,
      }),
    );
  }
  // In an image the session starts it long before anybody types.
  for (
    let tries = 0;
    spawnSync('python3', ['-c', HAS_LETTERS], { env: pythonEnv }).status !== 0;
    tries += 1
  ) {
    if (tries > 100) throw new Error(`the letters of Xvnc ${display} did not get their key codes`);
    await sleep(100);
  }
  return {
    display,
    run(program, programArgs) {
      programs.push(spawn(program, programArgs, { stdio: 'ignore', env }));
    },
    async waitForWindow(title) {
      for (let tries = 0; tries < 300; tries += 1) {
        const { stdout } = spawnSync('xwininfo', ['-root', '-tree'], { env, encoding: 'utf8' });
        if (stdout.includes(`"${title}`)) return;
        await sleep(100);
      }
      throw new Error(`no window "${title}" came up`);
    },
    size() {
      const { stdout } = spawnSync('xwininfo', ['-root'], { env, encoding: 'utf8' });
      const [, width, height] = /Width: (\d+)\s+Height: (\d+)/.exec(stdout) ?? [];
      return { width: Number(width), height: Number(height) };
    },
    clipboard: () =>
      spawnSync('xclip', ['-o', '-selection', 'clipboard'], {
        env,
        encoding: 'utf8',
        timeout: 5000,
        maxBuffer: 64 * 1024 * 1024,
      }).stdout,
    setClipboard(text) {
      const child = spawn('xclip', ['-i', '-selection', 'clipboard', '-quiet'], {
        stdio: ['pipe', 'ignore', 'ignore'],
        env,
      });
      programs.push(child);
      child.stdin.end(text);
    },
    suspend: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    async stop() {
      for (const program of programs) program.kill();
      server.kill();
      server.kill('SIGCONT');
      await ended(server);
    },
  };
}
