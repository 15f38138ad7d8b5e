import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { lockFolder } from '../../automation/tools/folder-lock.ts';
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

/** Runs `work` while no other process starts or stops a cluster of the same parent folder; waits for one that does. */
export async function withLock<T>(layout: Layout, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await mkdir(layout.lock, { recursive: true });
  const release = await lockFolder(layout.lock, onWait);
  if (!release)
    throw new Error(`Folder ${layout.lock} cannot be locked; expected one on a local file system.`);
  try {
    return await work();
  } finally {
    await release();
  }
}
