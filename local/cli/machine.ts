import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { parseJson } from '../../sidecar/contract/parse-json.ts';

/** Root of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..');
/** Everything of the running system, and the states of its user's own stacks; git-ignored. The end-to-end run has one of its own. */
export const STATE = process.env.SCIPION_LOCAL_STATE ?? join(ROOT, '.local');
export const CLUSTER_STATE = join(STATE, 'cluster');
/** Pulumi's own state of the stacks on this machine. */
export const STACK_STATE = join(STATE, 'stacks');
export const STACK = 'demo';
/** The namespace that the stack takes by default. */
export const NAMESPACE = STACK;

const FILE = join(STATE, 'instance.json');

/** What must be known of an instance to show and to remove it, written before its stack is created. */
const instanceSchema = z.object({
  /** Context of the user's own kubeconfig; null: the embedded cluster. */
  context: z.string().nullable(),
  /** Values by full key that are in no stack file. Tokens are not here: they are fetched from the emulator. */
  overrides: z.record(z.string(), z.string()),
});
export type InstanceRecord = z.infer<typeof instanceSchema>;

export async function readInstance(): Promise<InstanceRecord | undefined> {
  let text: string;
  try {
    text = await readFile(FILE, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const record = instanceSchema.safeParse(parseJson(text));
  if (record.success) return record.data;
  throw new Error(
    `${FILE} is not what this program keeps of an instance: it is damaged, or of another version. Move it away and run ` +
      'npm run local again (with --context and --image-repository as before, where the instance is on a cluster of your own): it takes the instance as ' +
      'it is, and writes the file anew. Nothing was changed',
  );
}

export async function writeInstance(record: InstanceRecord): Promise<void> {
  await writeFile(FILE, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
}

const STACK_FILE = /^Pulumi\.(.+)\.yaml$/;

/** Stacks whose settings are beside the state of this machine: those that its console has made. */
export async function otherStacks(): Promise<string[]> {
  const files = await readdir(STACK_STATE).catch(() => []);
  return files.flatMap((file) => STACK_FILE.exec(file)?.[1] ?? []).filter((name) => name !== STACK);
}

/** Forgets the instance, once nothing of it is left. */
export async function forgetInstance(): Promise<void> {
  await rm(FILE, { force: true });
}
