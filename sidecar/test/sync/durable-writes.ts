import { readFileSync } from 'node:fs';
import { ENGINE_FOLDER, type Space } from '../../src/spaces/space.ts';
import type { StateStore } from '../../src/sync/state/state.ts';
import type { LocalTree } from '../../src/sync/volume/local-tree.ts';

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
const VOLUME_CALLS = [
  'makeDirectory',
  'place',
  'placeOpen',
  'makeSymlink',
  'link',
  'removeFile',
  'removeEmptyDirectory',
  'setMode',
  'setTimes',
];
/** The lease has its own order and its own tests. */
const OF_LEASE = /^(claims|fences|lease)/;

/** One row of the table of durable writes in docs/sync-semantics.md. */
export interface DurableStep {
  readonly calls: readonly string[];
  /** What whoever comes next finds after a crash here. */
  readonly leadsTo: 'the save before' | 'this save';
}

/** One row of the table of what a restore writes. */
export interface RestoreStep {
  readonly calls: readonly string[];
  /** What the next start has to do after a crash here. */
  readonly leadsTo: 'the rest' | 'nothing';
}

/** Rows of the documentation whose last cell begins with one of these, and the calls in their second cell. */
function rowsThatLeadTo<To extends string>(...outcomes: readonly To[]) {
  const text = readFileSync(new URL('../../../docs/sync-semantics.md', import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const leadsTo = outcomes.find((outcome) => cells.at(-2)?.startsWith(`**${outcome}**`));
    if (leadsTo === undefined) return [];
    return [{ calls: [...(cells[2] ?? '').matchAll(/`([^`]+)`/g)].map(([, call = '']) => call), leadsTo }];
  });
}

/** @returns rows in the order of the table */
export const durableSteps = (): DurableStep[] => rowsThatLeadTo('the save before', 'this save');
export const restoreSteps = (): RestoreStep[] => rowsThatLeadTo('the rest', 'nothing');

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

/** What the process does until it is killed by one of these calls; from then on it does nothing that lasts. */
export class Deaths {
  readonly seen: string[] = [];
  readonly #at: number;

  /** @param at number of the call after which it is dead */
  constructor(at = Number.POSITIVE_INFINITY) {
    this.#at = at;
  }

  get happened(): boolean {
    return this.seen.length >= this.#at;
  }

  /** As `given`, with its calls counted. */
  of<T extends object>(
    given: T,
    calls: readonly string[],
    nameOf: (call: string, args: readonly unknown[]) => string,
  ): T {
    return new Proxy(given, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== 'function') return value;
        if (!calls.includes(String(name)))
          return (...args: unknown[]) => value.apply(object, args) as unknown;
        return (...args: unknown[]) => {
          if (this.happened) throw new Error('killed');
          const called = nameOf(String(name), args);
          const result: unknown = value.apply(object, args);
          this.seen.push(called);
          if (this.happened) throw new Error('killed');
          return result;
        };
      },
    });
  }
}

/** The state and the volume of a process that is killed after one of its lasting changes. */
export function mortal<T extends { readonly state: StateStore; readonly tree: LocalTree }>(
  context: T,
  deaths: Deaths,
): T {
  const { state, tree } = context;
  const kindOf = (kind: string | undefined) => (kind === 'directory' ? ' (folder)' : '');
  const base = deaths.of(state.base, ['put', 'delete'], (call, [entry]) =>
    call === 'put' ? `state base.put${kindOf((entry as { kind: string }).kind)}` : 'state base.delete',
  );
  const manifest = deaths.of(state.manifest, ['put', 'delete', 'clear'], (call) => `state manifest.${call}`);
  const itself = deaths.of(
    state,
    ['setMeta', 'setJson'],
    (_, [key, value]) => `state ${String(key)}${value === null ? ' removed' : ''}`,
  );
  const tables = new Map<unknown, object>([
    ['base', base],
    ['manifest', manifest],
  ]);
  return {
    ...context,
    state: new Proxy(itself, {
      get: (object, name) => tables.get(name) ?? Reflect.get(object, name, object),
    }),
    tree: deaths.of(tree, VOLUME_CALLS, (call, [first]) => {
      const isOfFolder = call === 'setMode' || call === 'setTimes';
      return `volume ${call}${isOfFolder ? kindOf(tree.look(first as string)?.kind) : ''}`;
    }),
  };
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
  const itself = watched(state, ['setMeta', 'setJson'], (_, [key, value]) => {
    seen.push(`state ${String(key)}${value === null ? ' removed' : ''}`);
  });
  return new Proxy(itself, { get: (object, name) => tables.get(name) ?? Reflect.get(object, name, object) });
}
