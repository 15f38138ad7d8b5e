import { readFileSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Layout } from './layout.ts';
import { identify, isRunning } from './process.ts';

const identity = z.object({ pid: z.int(), startTime: z.string(), bootId: z.string() });

const record = z.object({
  supervisor: identity,
  /** Programs of `BinDir.directory` that are running. */
  binaries: z.string(),
  httpsPort: z.int(),
  apiPort: z.int(),
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
 * Runs `work` while no other process starts or stops the same cluster; waits for one that does.
 * The lock of a process that has died is taken over.
 */
export async function withLock<T>(layout: Layout, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(layout.lock), { recursive: true });
  for (let waited = false; !(await takeLock(layout.lock)); waited = true) {
    if (!waited) onWait();
    await sleep(500);
  }
  try {
    return await work();
  } finally {
    await rm(layout.lock, { force: true });
  }
}

async function takeLock(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(JSON.stringify(identify(process.pid)));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = readHolder(file);
  if (holder && !isRunning(holder)) await rm(file, { force: true });
  return false;
}

function readHolder(file: string) {
  try {
    return identity.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null; // just being written, or just removed
  }
}
