import { readFileSync } from 'node:fs';
import { ENGINE_FOLDER, type Space } from '../../src/spaces/space.ts';
import type { StateStore } from '../../src/sync/state/state.ts';

const SPACE_CALLS = [
  'write',
  'writePart',
  'copy',
  'makeDirectory',
  'makeSymlink',
  'move',
  'removeFile',
  'removeEmptyDirectory',
  'removeTree',
];
const TABLE_CALLS = {
  base: ['put', 'delete'],
  manifest: ['put', 'delete'],
  staged: ['put', 'clear'],
} as const;
/** The lease has its own order and its own tests. */
const OF_LEASE = /^(claims|fences|lease)/;

/** One row of the table of durable writes in docs/sync-semantics.md. */
export interface DurableStep {
  readonly calls: readonly string[];
  /** What whoever comes next finds after a crash here. */
  readonly leadsTo: 'the save before' | 'this save';
}

/** @returns rows in the order of the table */
export function durableSteps(): DurableStep[] {
  const text = readFileSync(new URL('../../../docs/sync-semantics.md', import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => {
    const [, , calls = '', , , leadsTo = ''] = line.split('|').map((cell) => cell.trim());
    const found = /^\*\*(the save before|this save)\*\*/.exec(leadsTo)?.[1];
    if (found === undefined) return [];
    return [
      {
        calls: [...calls.matchAll(/`([^`]+)`/g)].map(([, call = '']) => call),
        leadsTo: found as DurableStep['leadsTo'],
      },
    ];
  });
}

/** `.scipion-sync/commits/7.jsonl` → `commits/…`; what is not the engine's → `PATH` */
function place(path: string): string {
  if (!path.startsWith(`${ENGINE_FOLDER}/`)) return 'PATH';
  const own = path.slice(ENGINE_FOLDER.length + 1);
  const [folder, name = '', file] = own.split('/');
  if (folder === 'staging') {
    if (file === undefined) return 'staging/VOLUME';
    return `staging/VOLUME/${/^(head|copy)-/.exec(file)?.[0] ?? ''}…`;
  }
  return name === '' ? own : `${folder}/…${name.endsWith('.new') ? '.new' : ''}`;
}

function watched<T extends object>(
  target: T,
  calls: readonly string[],
  note: (call: string, args: readonly unknown[]) => void,
): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (calls.includes(String(name))) note(String(name), args);
        return value.apply(object, args) as unknown;
      };
    },
  });
}

/** @param seen gets each call that changes the space, but those of the lease, as the table names it */
export function watchedSpace(space: Space, seen: string[]): Space {
  return watched(space, SPACE_CALLS, (call, [first, second]) => {
    const from = place(typeof first === 'string' ? first : (first as { path: string }).path);
    const to = call === 'move' || call === 'copy' ? ` → ${place(second as string)}` : '';
    if (!OF_LEASE.test(from)) seen.push(`${call} ${from}${to}`);
  });
}

/** @param seen gets each call that changes the state */
export function watchedState(state: StateStore, seen: string[]): StateStore {
  const tables = new Map<unknown, object>();
  for (const [name, calls] of Object.entries(TABLE_CALLS)) {
    const table = state[name as keyof typeof TABLE_CALLS];
    tables.set(
      name,
      watched(table, calls, (call) => seen.push(`state ${name}.${call}`)),
    );
  }
  const itself = watched(state, ['setMeta'], (_, [key, value]) => {
    seen.push(`state ${String(key)}${value === null ? ' removed' : ''}`);
  });
  return new Proxy(itself, { get: (object, name) => tables.get(name) ?? Reflect.get(object, name, object) });
}
