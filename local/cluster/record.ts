import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Layout } from './layout.ts';

const identity = z.object({ pid: z.int(), startTime: z.string(), bootId: z.string() });

const record = z.object({
  supervisor: identity,
  /** Programs of `BinDir.directory` that are running. */
  binaries: z.string(),
  httpsPort: z.int(),
  apiPort: z.int(),
  /** Whether the start came to its end; one that was interrupted left only parts running. */
  complete: z.boolean(),
});

/** What is known of the running cluster, kept in `cluster.json` of its state folder. */
export type ClusterRecord = z.infer<typeof record>;

/** The record of a cluster that was started and not stopped; it may have died since. Null when there is none. */
export function readRecord(layout: Layout): ClusterRecord | null {
  try {
    return record.parse(JSON.parse(readFileSync(layout.record, 'utf8')));
  } catch {
    // Missing, or half written by a version or a crash of another time: nothing that runs can be found by it.
    return null;
  }
}

export async function writeRecord(layout: Layout, content: ClusterRecord): Promise<void> {
  await writeFile(`${layout.record}.draft`, `${JSON.stringify(content, null, 2)}\n`);
  await rename(`${layout.record}.draft`, layout.record);
}

/**
 * Runs `work` while no other process starts or stops a cluster of the same parent folder; waits for one that does.
 * The lock is the kernel's, so it ends with its holder, however that ends, and leaves no file.
 */
export async function withLock<T>(layout: Layout, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await mkdir(layout.lock, { recursive: true });
  let release = await hold(layout.lock, '--nonblock');
  if (!release) {
    onWait();
    release = await hold(layout.lock);
  }
  if (!release)
    throw new Error(`Folder ${layout.lock} cannot be locked; expected one on a local file system.`);
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Holds the folder's lock by a child that lives as long as its input is open; null when the lock is not to be had. */
async function hold(folder: string, ...options: string[]): Promise<(() => Promise<void>) | null> {
  const child = spawn('flock', [...options, '--exclusive', folder, 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!held) return null;
  return async () => {
    child.stdin.end();
    await ended;
  };
}
