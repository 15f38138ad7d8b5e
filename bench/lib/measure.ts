import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import type { Run } from './statistics.ts';

/** Time between two looks at a process tree. Each process keeps its own high-water mark, so little is missed. */
const SAMPLE_MS = 20;
/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS = 100;

export interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Given on the standard input. */
  readonly input?: string;
}

/** Runs a command to its end. @throws Error with the end of what it said, unless it exits with 0 */
export async function measure(command: Command): Promise<Run> {
  return measureTogether([command]);
}

/** Runs commands side by side, as one run that ends with the last. */
export async function measureTogether(commands: readonly Command[]): Promise<Run> {
  const load = loadavg()[0] as number;
  const began = performance.now();
  const trees = commands.map((command) => start(command));
  await Promise.all(trees.map(({ done }) => done));
  const seconds = (performance.now() - began) / 1000;
  const sum = (key: 'peakBytes' | 'cpuSeconds') =>
    trees.reduce((total, { watched }) => total + watched()[key], 0);
  return { seconds, peakBytes: sum('peakBytes'), cpuSeconds: sum('cpuSeconds'), requests: null, load };
}

function start(command: Command) {
  const child = spawn(command.file, command.arguments, {
    env: { ...process.env, ...command.environment },
    stdio: [command.input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-2000);
  });
  child.stdin?.end(command.input);
  const watched = child.pid === undefined ? () => ({ peakBytes: 0, cpuSeconds: 0 }) : watch(child.pid);
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      watched();
      if (code === 0) resolve();
      else reject(new Error(`${command.file} ended with ${code ?? signal}; it said:\n${said.trim()}`));
    });
  });
  return { done, watched };
}

/** Looks at a process and its descendants until the first call of the returned function. */
function watch(pid: number): () => { peakBytes: number; cpuSeconds: number } {
  const peaks = new Map<number, number>();
  const ticks = new Map<number, number>();
  const look = () => {
    for (const each of descendants(pid)) {
      const peak = peakOf(each);
      if (peak !== null) peaks.set(each, Math.max(peak, peaks.get(each) ?? 0));
      const used = ticksOf(each);
      if (used !== null) ticks.set(each, used);
    }
  };
  look();
  const timer = setInterval(look, SAMPLE_MS);
  const total = (map: Map<number, number>) => [...map.values()].reduce((sum, value) => sum + value, 0);
  return () => {
    clearInterval(timer);
    return { peakBytes: total(peaks), cpuSeconds: total(ticks) / TICKS };
  };
}

/** What a process and those that it started have used and use, while they live. */
export function usageOf(pid: number): { readonly cpuSeconds: number; readonly residentBytes: number } {
  const all = descendants(pid);
  const resident = (each: number) =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readProc(`/proc/${each}/status`) ?? '')?.[1] ?? 0) * 1024;
  return {
    cpuSeconds: all.reduce((sum, each) => sum + (ticksOf(each) ?? 0), 0) / TICKS,
    residentBytes: all.reduce((sum, each) => sum + resident(each), 0),
  };
}

function descendants(pid: number): number[] {
  const text = readProc(`/proc/${pid}/task/${pid}/children`) ?? '';
  return [pid, ...text.split(' ').filter(Boolean).map(Number).flatMap(descendants)];
}

/** Highest resident memory of a process so far, in bytes; null when it is gone. */
export function peakOf(pid: number | 'self'): number | null {
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}

/** Processor time of this process and of those that it started and that have ended. */
export function ownCpuSeconds(): number {
  const [user, system, endedUser, endedSystem] = statTimes('self') ?? [];
  return ((user ?? 0) + (system ?? 0) + (endedUser ?? 0) + (endedSystem ?? 0)) / TICKS;
}

function ticksOf(pid: number): number | null {
  const [user, system] = statTimes(pid) ?? [];
  return user === undefined || system === undefined ? null : user + system;
}

/** User and system time in ticks, then the same of children that have ended; null when it is gone. */
function statTimes(pid: number | 'self'): number[] | null {
  const text = readProc(`/proc/${pid}/stat`);
  // The name of the program, in brackets, may hold spaces.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? null : fields.slice(11, 15).map(Number);
}

function readProc(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
