import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parse } from 'yaml';
import { STATE_PACKINGS } from '../../automation/engine/index.ts';
import { CONSOLE_STATE } from '../console/files.ts';
import { forgetInstance, otherStacks, ROOT, readInstance, STACK, STACK_STATE, STATE } from './machine.ts';

/**
 * What `down --purge` takes from the folder of local state once the cluster is gone: what `npm run local` and its console
 * have made, by name. `npm run pulumi` keeps the states of a user's own stacks in the same folder, under the same passphrase;
 * whoever has instances on another cluster would lose them with their tokens.
 */

export interface Kept {
  /** Stacks whose state is not the demo's. */
  readonly states: readonly string[];
  /** Files of stacks whose secrets the passphrase may be needed for. */
  readonly files: readonly string[];
}

/** @returns stacks that are the demo's, to be asked before the first of them is removed */
export async function stacksOfDemo(): Promise<readonly string[]> {
  const others = await otherStacks();
  // Without a record a stack of this name that has something is another: its user called it so.
  const isOurs = (await readInstance()) !== undefined || (await isEmpty(await projectName(), STACK));
  return isOurs ? [STACK, ...others] : others;
}

/** @param made stacks that are the demo's */
export async function removeOwnState(made: readonly string[]): Promise<Kept> {
  const project = await projectName();
  const isMade = (state: State) => state.project === project && made.includes(state.stack);
  const states = (await statesHere()).filter((state) => !isMade(state)).map(({ stack }) => stack);
  const files = await filesWithSecrets();
  for (const stack of made) await removeStack(project, stack);
  if (states.length === 0 && files.length === 0) {
    for (const name of ['.pulumi', 'passphrase']) await rm(join(STACK_STATE, name), ANY);
  }
  await rm(join(STACK_STATE, 'Pulumi.yaml'), ANY);
  await rm(CONSOLE_STATE, ANY);
  await forgetInstance();
  for (const folder of [join(STACK_STATE, 'operations'), STACK_STATE, STATE]) await removeIfEmpty(folder);
  return { states, files };
}

/** For a person; undefined where nothing was kept. */
export function keptWords({ states, files }: Kept): string | undefined {
  const place = relative(process.cwd(), STACK_STATE);
  if (states.length > 0)
    return `Kept: the state of ${states.join(', ')} in ${place}, with its passphrase: not made by npm run local. Remove each with its instance: npm run destroy -- --stack NAME`;
  if (files.length > 0)
    return `Kept: ${join(place, 'passphrase')}. The secrets in ${files.join(', ')} may have been written with it.`;
  return undefined;
}

const ANY = { recursive: true, force: true } as const;

async function projectName(): Promise<string> {
  return (parse(await readFile(join(ROOT, 'Pulumi.yaml'), 'utf8')) as { name: string }).name;
}

interface State {
  readonly project: string | undefined;
  readonly stack: string;
}

/** A backend of files has a state in `stacks/PROJECT/STACK.json`, packed where its user says so; one of before, without the project. */
async function statesHere(): Promise<State[]> {
  const folder = join(STACK_STATE, '.pulumi', 'stacks');
  const paths = await readdir(folder, { recursive: true }).catch(() => []);
  return paths.flatMap((path) => {
    const parts = path.split(sep);
    const stack = /^(.+)\.json(\.gz|\.zst)?$/.exec(parts.at(-1) ?? '')?.[1];
    return stack === undefined ? [] : [{ project: parts.at(-2), stack }];
  });
}

async function isEmpty(project: string, stack: string): Promise<boolean> {
  for (const end of STATE_PACKINGS) {
    const path = join(STACK_STATE, '.pulumi', 'stacks', project, `${stack}.json${end}`);
    const file = await readFile(path).catch(() => undefined);
    if (file === undefined) continue;
    try {
      const { checkpoint } = JSON.parse(UNPACK[end](file).toString()) as { checkpoint: Checkpoint };
      return (checkpoint.latest?.resources ?? []).length === 0;
    } catch {
      return false; // what cannot be read may be somebody's
    }
  }
  return true;
}

/** As Pulumi writes states, by the end of their names. */
const UNPACK: Readonly<Record<(typeof STATE_PACKINGS)[number], (file: Buffer) => Buffer>> = {
  '': (file) => file,
  '.gz': gunzipSync,
  '.zst': zstdDecompressSync,
};

interface Checkpoint {
  readonly latest?: { readonly resources?: readonly unknown[] } | null;
}

/** Files of the repository's stacks with secrets, also of those whose state is elsewhere or was lost. */
async function filesWithSecrets(): Promise<string[]> {
  const { stackConfigDir = '.' } = parse(await readFile(join(ROOT, 'Pulumi.yaml'), 'utf8')) as {
    stackConfigDir?: string;
  };
  const names = (await readdir(join(ROOT, stackConfigDir))).filter((name) => /^Pulumi\..+\.yaml$/.test(name));
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(join(ROOT, stackConfigDir, name), 'utf8')]),
  );
  return texts
    .filter(([, text]) => /^encryptionsalt:/m.test(text ?? ''))
    .map(([name = '']) => join(stackConfigDir, name));
}

async function removeStack(project: string, stack: string): Promise<void> {
  const backend = join(STACK_STATE, '.pulumi');
  const ofState = STATE_PACKINGS.flatMap((end) => [`.json${end}`, `.json${end}.bak`]).flatMap((end) => [
    end,
    `${end}.attrs`,
  ]);
  const paths = [
    ...ofState.map((end) => join(backend, 'stacks', project, `${stack}${end}`)),
    ...['history', 'backups', join('locks', 'organization')].map((kind) =>
      join(backend, kind, project, stack),
    ),
    join(STACK_STATE, `Pulumi.${stack}.yaml`),
    ...['json', 'lock'].map((end) => join(STACK_STATE, 'operations', `${stack}.${end}`)),
  ];
  for (const path of paths) await rm(path, ANY);
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
  });
}
