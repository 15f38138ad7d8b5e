import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../test/helpers/free-port.ts';

/** How quickly the console answers with many instances and operations, and what memory it takes. */

export interface ConsoleBench {
  readonly instances: number;
  readonly operations: number;
  readonly requests: number;
}

export async function runConsoleBench(
  { instances, operations, requests }: ConsoleBench,
  say: (line: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-console-'));
  const port = await freePort();
  const script = join(import.meta.dirname, 'console-process.ts');
  const args = [
    '--disable-warning=ExperimentalWarning',
    script,
    folder,
    ...[port, instances, operations].map(String),
  ];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    if ((await lines.next()).value !== 'ready') throw new Error('the console did not start');
    const get = async (path: string, user: Record<string, string>) => {
      const began = performance.now();
      const answer = await fetch(`http://localhost:${port}${path}`, { headers: user });
      const { length } = await answer.text();
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      return { milliseconds: performance.now() - began, length };
    };
    const jane = { 'x-forwarded-user': 'jane' };
    const olga = { 'x-forwarded-user': 'olga', 'x-forwarded-groups': 'operators' };
    const cases: [string, string, Record<string, string>][] = [
      ['the list of one user', '/api/instances', jane],
      ['the list of all', '/api/instances?all=1', olga],
      ['the site page', '/api/site', olga],
      ['one instance', '/api/instances/instance-001', jane],
      ['a page', '/', jane],
    ];
    for (const [title, path, user] of cases) {
      const times: number[] = [];
      let size = 0;
      for (let count = 0; count < requests; count += 1) {
        // Below the limit of one user: ten a second.
        const { milliseconds, length } = await get(path, user);
        times.push(milliseconds);
        size = length;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const sorted = times.toSorted((left, right) => left - right);
      const at = (share: number) =>
        (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
      say(`${title}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms, ${size} bytes`);
    }
    child.stdin.write('\n');
    const { value } = await lines.next();
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
    say(
      `memory: ${(Number(String(value).split(' ')[1]) / 2 ** 20).toFixed(0)} MiB, at most ${(Number(peak) / 1024).toFixed(0)} MiB`,
    );
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}
