import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type SyncStatus, syncStatusSchema } from '../../sidecar/contract/status.ts';
import type { Shown } from './scipion-windows.ts';
import { eventually, inContainer } from './world.ts';

/** Real work in the desktop container, and what Scipion says of it. */

const SCRIPTS = join(import.meta.dirname, 'desktop-scripts');

const workSchema = z.object({
  status: z.string(),
  outputs: z.record(z.string(), z.number()),
  error: z.string().nullable(),
});
const projectSchema = z.object({
  projects: z.array(z.string()),
  runs: z.record(z.string(), z.string()),
  databases: z.record(z.string(), z.string()),
  links: z.record(z.string(), z.string()),
});
export type ProjectView = z.infer<typeof projectSchema>;

/** Imports the source's micrographs as links in a protocol run of this label. */
export async function importMicrographs(project: string, label: string): Promise<z.infer<typeof workSchema>> {
  return workSchema.parse(await runScript('work.py', [project, label]));
}

/** A project whose runs wait for their "Execute"; answers the folder of each, by label. */
export async function saveRuns(project: string, labels: readonly string[]): Promise<Record<string, string>> {
  return z.record(z.string(), z.string()).parse(await runScript('save_runs.py', [project, ...labels]));
}

const shownSchema = z.object({
  window: z.string(),
  kind: z.string(),
  text: z.string(),
  value: z.string(),
  x: z.number(),
  y: z.number(),
  width: z.number(),
  height: z.number(),
});

/** What Scipion's windows show at this moment, and where. */
export async function shownWindows(): Promise<Shown[]> {
  const script = await readFile(join(SCRIPTS, 'widgets.py'), 'utf8');
  return z.array(shownSchema).parse(JSON.parse(await inContainer('desktop', ['python3', '-'], script)));
}

export async function inspectProject(project: string): Promise<ProjectView> {
  return projectSchema.parse(await runScript('inspect_project.py', [project]));
}

/** Titles of the open windows. */
export async function windowTitles(): Promise<string[]> {
  const list = await inContainer('desktop', ['wmctrl', '-l']);
  return list.split('\n').map((line) => line.split(/\s+/).slice(3).join(' '));
}

export async function syncStatus(): Promise<SyncStatus> {
  return syncStatusSchema.parse(
    JSON.parse(await inContainer('sync', ['/usr/local/bin/sync', 'status', '--json'])),
  );
}

/** Waits for a save that began after now. */
export async function nextSave(seconds: number): Promise<SyncStatus> {
  const begin = new Date().toISOString();
  return eventually('a save', seconds, async () => {
    const status = await syncStatus();
    const { lastSavedAt, unsavedChanges } = status.save;
    return lastSavedAt !== null && lastSavedAt > begin && unsavedChanges !== true ? status : undefined;
  });
}

export interface TreeItem {
  readonly type: 'REG' | 'DIR' | 'SYMLNK';
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
  readonly target?: string | undefined;
}

const itemSchema = z.object({
  path: z.string(),
  type: z.enum(['REG', 'DIR', 'SYMLNK']),
  size: z.number().optional(),
  sha256: z.string().optional(),
  target: z.string().optional(),
});

/** Everything below a folder of the desktop container by relative path. */
export async function treeOf(folder: string): Promise<Map<string, TreeItem>> {
  const output = await runFile('tree.py', ['python3'], [folder]);
  const items = output
    .split('\n')
    .filter(Boolean)
    .map((line) => itemSchema.parse(JSON.parse(line)));
  return new Map(items.map(({ path, ...item }) => [path, item]));
}

async function runScript(name: string, args: readonly string[]): Promise<unknown> {
  const output = await runFile(name, ['scipion3', 'python'], args);
  const line = output.split('\n').find((text) => text.startsWith('RESULT '));
  if (!line) throw new Error(`${name} printed no result:\n${output.slice(-2000)}`);
  return JSON.parse(line.slice('RESULT '.length));
}

/** Scripts go in as files: Scipion's launcher mangles code that is given as an argument. */
async function runFile(
  name: string,
  interpreter: readonly string[],
  args: readonly string[],
): Promise<string> {
  const source = await readFile(join(SCRIPTS, name), 'utf8');
  const path = `/tmp/${name}`;
  await inContainer('desktop', ['tee', path], source);
  return inContainer('desktop', [...interpreter, path, ...args]);
}
