import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** States in a folder, as Pulumi writes them: `.pulumi/stacks/PROJECT/STACK.json`, and what it keeps of them. */

/** Ends of their names, by what packs them (`PULUMI_DIY_BACKEND_GZIP`, `…_ZSTD`). */
export const STATE_PACKINGS = ['', '.gz', '.zst'] as const;

export interface DamagedState {
  readonly file: string;
  /** The newest of before that is whole. */
  readonly backup: string | undefined;
}

/** The state of a stack of this name that is no JSON; packed ones are not looked at. */
export function damagedState(stateDirectory: string, stack: string): DamagedState | undefined {
  const backend = join(stateDirectory, '.pulumi');
  for (const project of namesIn(join(backend, 'stacks'))) {
    const file = join(backend, 'stacks', project, `${stack}.json`);
    if (!existsSync(file) || isWhole(file)) continue;
    const older = join(backend, 'backups', project, stack);
    const kept = namesIn(older)
      .filter((name) => name.includes('.json') && !name.endsWith('.attrs'))
      .map((name) => join(older, name));
    const backups = [`${file}.bak`, ...kept].filter((path) => existsSync(path) && isWhole(path));
    return { file, backup: backups.toSorted((left, right) => timeOf(right) - timeOf(left))[0] };
  }
  return undefined;
}

const timeOf = (path: string) => statSync(path).mtimeMs;
const namesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

function isWhole(file: string): boolean {
  try {
    return 'checkpoint' in JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return false;
  }
}
