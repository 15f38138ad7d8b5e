import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { EngineError } from './protocol.ts';

interface Owner {
  readonly pid: number;
  /** Start of the process in ticks since boot, where the system tells; a reused pid has another one. */
  readonly started: string | null;
  readonly host: string;
  readonly user: string;
  readonly since: string;
  readonly command: string;
}

/**
 * Takes the stack's lock; one update of a stack runs at a time. A lock whose process is gone (same machine) is taken
 * over.
 * @returns releases the lock.
 * @throws EngineError naming the owner, when the lock is held.
 */
export async function takeLock(directory: string, command: string): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'lock');
  const owner: Owner = {
    pid: process.pid,
    started: await processStart(process.pid),
    host: hostname(),
    user: userInfo().username,
    since: new Date().toISOString(),
    command,
  };
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(JSON.stringify(owner));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await clearDeadLock(path);
  }
  throw new EngineError(
    `${path}: the lock could not be taken. Another update of this stack starts at the same time.`,
  );
}

async function clearDeadLock(path: string): Promise<void> {
  const owner = await readOwner(path);
  if (owner === 'gone') return;
  if (owner === 'unreadable') {
    throw new EngineError(
      `${path} exists but does not say who holds it. If no update of this stack runs, remove the file.`,
    );
  }
  if (owner.host !== hostname() || (await isAlive(owner))) {
    throw new EngineError(
      `The stack is locked: \`${owner.command}\` of ${owner.user} (process ${owner.pid} on ${owner.host}) has held it since ${owner.since}. Wait for it to end; if it does not run any more, remove ${path}.`,
    );
  }
  await rm(path, { force: true });
}

async function readOwner(path: string): Promise<Owner | 'gone' | 'unreadable'> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'unreadable';
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const started = await processStart(owner.pid);
  return started === null || owner.started === null || started === owner.started;
}

/** Field 22 of `/proc/<pid>/stat`; the second field, in parentheses, may hold anything. */
async function processStart(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
