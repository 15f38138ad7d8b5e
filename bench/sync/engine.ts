import { type ChildProcess, fork } from 'node:child_process';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import { bundle } from '../../sidecar/build.ts';
import { NODE_FLAGS } from '../../sidecar/contract/node-flags.ts';
import type { Run } from '../lib/statistics.ts';
import { nodeOptions } from './node-options.ts';

export type SpaceSpec =
  | { readonly kind: 'directory'; readonly directory: string }
  | {
      readonly kind: 'onedata';
      readonly host: string;
      readonly spaceId: string;
      readonly tokenFile: string;
      readonly authorityFile: string;
    };

export type EngineRequest =
  | { readonly do: 'stage-in'; readonly root: string; readonly space: SpaceSpec }
  /** `start`: with a restore, as at the start of an instance; else as after a restart of the container. */
  | {
      readonly do: 'open-project';
      readonly root: string;
      readonly space: SpaceSpec;
      readonly start: boolean;
      /** A person agreed to so many files that cannot be restored. @default 0 */
      readonly confirmedMissing?: number;
    }
  /** Notes volume and space as equal, as a save of all files would have done. */
  | { readonly do: 'seed-project'; readonly root: string; readonly space: SpaceSpec }
  /** `full`: looks at every file, whatever was told of changes. */
  | { readonly do: 'save'; readonly full: boolean };

export type EngineAnswer =
  | {
      readonly ok: true;
      readonly result: unknown;
      readonly seconds: number;
      readonly cpuSeconds: number;
      readonly requests: number;
      readonly peakBytes: number;
    }
  | { readonly ok: false; readonly error: string };

export interface Done extends Run {
  readonly result: Record<string, unknown>;
}

/** `pool`: its requests are made in the thread of the engine, by a plain pool of connections. */
export type EngineVariant = 'as it is' | 'pool';

/** One process of the engine, bundled as in the image. */
export class Engine {
  static readonly #programs = new Map<EngineVariant, string>();
  readonly #child: ChildProcess;
  readonly #began = performance.now();
  readonly #load = loadavg()[0] as number;

  /** To be called before the first one of this variant is made. */
  static async build(directory: string, variant: EngineVariant = 'as it is'): Promise<void> {
    const source = fileURLToPath(new URL('engine-process.ts', import.meta.url));
    await bundle({ 'engine-process': source }, directory, variant === 'pool' ? [withPool] : []);
    Engine.#programs.set(variant, join(directory, 'engine-process.js'));
  }

  /** @param preload a module that is loaded before the engine, with these variables besides */
  constructor({
    preload,
    environment = {},
    variant = 'as it is',
  }: { preload?: string; environment?: Record<string, string>; variant?: EngineVariant } = {}) {
    const program = Engine.#programs.get(variant);
    if (program === undefined) throw new Error(`the engine "${variant}" was not built`);
    this.#child = fork(program, {
      execArgv: [...NODE_FLAGS, ...nodeOptions(), ...(preload === undefined ? [] : ['--import', preload])],
      env: { ...process.env, ...environment },
    });
  }

  /** @throws Error with what the engine said */
  async order(order: EngineRequest): Promise<Done> {
    const load = loadavg()[0] as number;
    const answer = await new Promise<EngineAnswer>((resolve, reject) => {
      const ended = (code: number | null, signal: string | null) =>
        reject(new Error(`the engine ended with ${code ?? signal}`));
      this.#child.once('exit', ended);
      this.#child.once('message', (message) => {
        this.#child.off('exit', ended);
        resolve(message as EngineAnswer);
      });
      this.#child.send(order);
    });
    if (!answer.ok) throw new Error(`the engine failed: ${answer.error}`);
    const { ok: _, result, ...numbers } = answer;
    return { ...numbers, load, result: (result ?? {}) as Record<string, unknown> };
  }

  /** The only order of a process, timed with its start, as another program would be. */
  async orderAll(order: EngineRequest): Promise<Done> {
    const done = await this.order(order);
    return { ...done, seconds: (performance.now() - this.#began) / 1000, load: this.#load };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await ended;
  }
}

/** The one module that knows of the thread is exchanged, and nothing else. */
const withPool: Plugin = {
  name: 'plain-pool',
  setup(build) {
    const path = fileURLToPath(new URL('pool-connections.ts', import.meta.url));
    build.onResolve({ filter: /\/http-connections\.ts$/ }, ({ importer }) =>
      importer === path ? undefined : { path },
    );
  },
};

/** Takes the result away, so that it can be stored among runs. */
export function runOf({ seconds, peakBytes, requests, cpuSeconds, load }: Done): Run {
  return { seconds, peakBytes, requests, cpuSeconds, load };
}
