import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import type { Project, RunChanges } from '../../engine/index.ts';

/** A project of which nothing is deployed: it counts, and fails when it is told to. */
export interface FakeProject extends Project {
  readonly ups: string[];
  readonly destroyed: string[];
  readonly unlocked: string[];
  /** Runs at one time, the most so far. */
  readonly most: () => number;
  /** Thrown by the next runs, one each. */
  readonly failures: Error[];
}

const SITE = {
  'scipion:domain': 'example.org',
  'scipion:ingressClass': 'nginx',
  'scipion:imageRepository': 'registry.example.org/scipion',
};

/** @param lastUpdate of the stacks whose files are there already */
export function fakeProject(directory: string, milliseconds = 1, lastUpdate?: string): FakeProject {
  writeFileSync(
    join(directory, 'Pulumi.yaml'),
    stringify({ name: 'scipion', runtime: 'nodejs', config: SITE }),
  );
  // Those of a process before this one.
  const found = readdirSync(directory).flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []);
  const stacks = new Map<string, string | undefined>(found.map((name) => [name, lastUpdate]));
  const [ups, destroyed, unlocked, failures]: [string[], string[], string[], Error[]] = [[], [], [], []];
  let [running, most] = [0, 0];
  const fileOf = (stack: string) => join(directory, `Pulumi.${stack}.yaml`);
  const run = async (stack: string, changes: RunChanges | undefined, what: string) => {
    running += 1;
    most = Math.max(most, running);
    const step = { operation: what, kind: 'StatefulSet', name: 'scipion' };
    changes?.onProcess?.(2 ** 22 + 1); // no system has such a process
    changes?.onStep?.({ ...step, state: 'begun' });
    await sleep(milliseconds);
    running -= 1;
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    changes?.onStep?.({ ...step, state: 'done' });
    stacks.set(stack, new Date().toISOString());
    return { changes: { [what]: 1 }, warnings: [], steps: [] };
  };
  return {
    ups,
    destroyed,
    unlocked,
    failures,
    most: () => most,
    list: async () =>
      [...stacks].map(([name, lastUpdate]) => ({ name, ...(lastUpdate ? { lastUpdate } : {}) })),
    create: async (stack) => {
      if (stacks.has(stack)) throw new Error(`stack ${stack} already exists`);
      stacks.set(stack, undefined);
    },
    set: async (stack, { plain = {}, secret = {} }) => {
      const before = existsSync(fileOf(stack)) ? parse(readFileSync(fileOf(stack), 'utf8')) : { config: {} };
      const hidden = Object.keys(secret).map((key) => [key, { secure: 'ciphertext' }]);
      const config = { ...before.config, ...plain, ...Object.fromEntries(hidden) };
      writeFileSync(fileOf(stack), stringify({ config }));
    },
    outputs: async (stack) => ({
      url: `https://scipion.${stack}.example.org/`,
      desktopPassword: 'drawn in any case',
    }),
    deployment: (stack) => ({
      up: (_report, changes) => {
        ups.push(stack);
        return run(stack, changes, 'create');
      },
      preview: () => Promise.reject(new Error('not asked for here')),
      refresh: () => Promise.reject(new Error('not asked for here')),
      destroy: (_report, changes) => {
        destroyed.push(stack);
        return run(stack, changes, 'delete');
      },
    }),
    unlock: async (stack) => void unlocked.push(stack),
    forget: async (stack) => {
      stacks.delete(stack);
      rmSync(fileOf(stack), { force: true });
    },
  };
}
