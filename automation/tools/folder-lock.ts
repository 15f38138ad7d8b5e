import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';

/**
 * Takes the lock of a folder; waits for a process that has it. The lock is the kernel's, so it
 * ends with its holder, however that ends, and leaves no file.
 *
 * @param onWait is called once where somebody has it
 * @returns what releases it; undefined where the folder cannot be locked (it is not there, there is no `flock`, its file system has no locks)
 * @throws the signal's reason where nobody waits any more; Error where a Ctrl-C ended what waits
 */
export async function lockFolder(
  folder: string,
  onWait: () => void,
  signal?: AbortSignal,
): Promise<(() => Promise<void>) | undefined> {
  const first = await hold(folder, ['--nonblock']);
  if (first !== 'taken') return first;
  onWait();
  const second = await hold(folder, [], signal);
  return second === 'taken' ? undefined : second;
}

/**
 * Takes the lock of who makes something for the cache, a folder that is made where there is none; waits for a process that
 * makes the same. Without one (see `lockFolder`) it may be made twice, and slower.
 */
export async function lockMaking(
  folder: string,
  onWait: () => void,
  signal?: AbortSignal,
): Promise<(() => Promise<void>) | undefined> {
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  return lockFolder(folder, onWait, signal);
}

/** Of our own, so that it is none of what `flock` or the shell may answer. */
const TAKEN = 75;

/** Holds it by a child that lives as long as its input is open. */
async function hold(
  folder: string,
  options: readonly string[],
  signal?: AbortSignal,
): Promise<(() => Promise<void>) | 'taken' | undefined> {
  const args = [
    ...options,
    `--conflict-exit-code=${TAKEN}`,
    '--exclusive',
    folder,
    'sh',
    '-c',
    'echo; exec cat',
  ];
  signal?.throwIfAborted();
  const child = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const stop = () => child.kill();
  signal?.addEventListener('abort', stop);
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', (code, killed) => resolve(killed ?? code));
  });
  const held = once(child.stdout, 'data').then(() => 'held' as const);
  const answer = await Promise.race([held, ended]);
  signal?.removeEventListener('abort', stop);
  if (signal?.aborted) child.stdin.end();
  signal?.throwIfAborted();
  if (typeof answer === 'string' && answer !== 'held')
    throw new Error(`Waiting for the lock of ${folder} was ended by ${answer}`);
  if (answer !== 'held') return answer === TAKEN ? 'taken' : undefined;
  return async () => {
    child.stdin.end();
    await ended;
  };
}
