import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../test/helpers/free-port.ts';
import type { Me } from '../../src/view-types.ts';
import { buildConsoleWeb } from '../../web/build.ts';
import { type Answer, Visitor } from './visitor.ts';

/** A console in a process of its own that can be killed, one after the other on the same folder. */
export interface ConsoleProcess extends AsyncDisposable {
  /**
   * @param milliseconds that an engine takes for a run
   * @param lastUpdate of what is there already; absent: it was never deployed
   */
  start(milliseconds: number, lastUpdate?: string): Promise<void>;
  /** With SIGKILL. */
  kill(): Promise<void>;
  get<T>(path: string): Promise<T>;
  post(path: string, body: object): Promise<Answer>;
}

/** @param user headers by which its proxy says who it is */
export async function consoleProcess(user: Readonly<Record<string, string>>): Promise<ConsoleProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'console-killed-'));
  const directory = join(folder, 'project');
  mkdirSync(directory);
  await buildConsoleWeb(join(folder, 'web'));
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const visitor = new Visitor();
  let child: ChildProcess | undefined;
  const get = async <T>(path: string) =>
    (await visitor.request(`${origin}${path}`, { headers: user })).json<T>();
  const kill = async () => {
    if (child === undefined) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    child = undefined;
  };
  return {
    get,
    kill,
    async start(milliseconds, lastUpdate) {
      const script = join(import.meta.dirname, '..', 'killed-console.ts');
      const args = ['--disable-warning=ExperimentalWarning', script, folder, directory, String(port)];
      const started = spawn(
        process.execPath,
        [...args, String(milliseconds), ...(lastUpdate === undefined ? [] : [lastUpdate])],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      child = started;
      for await (const text of started.stdout) if (String(text).includes('ready')) break;
    },
    async post(path, body) {
      const { csrf } = await get<Me>('/api/me');
      const headers = { ...user, origin, 'content-type': 'application/json', 'x-csrf-token': csrf };
      return visitor.request(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    },
    [Symbol.asyncDispose]: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
