import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineEvent, StackOptions, StepEvent } from '../../local/engine/index.ts';

/** A program under `programs/` with a cluster of its own: fake-kubectl on a temporary folder. */

export const TOKEN = 'canary-token-5c1e9';
const FAKE = fileURLToPath(new URL('./fake-kubectl.ts', import.meta.url));

export interface Workplace {
  readonly directory: string;
  readonly kubectl: string;
  readonly clusterFile: string;
  readonly stateDirectory: string;
  /** Options of a run; `onEvent` collects into `events`. */
  options(changes?: Partial<StackOptions>): StackOptions;
  readonly events: EngineEvent[];
  /** Objects in the cluster, by `<Kind>/<namespace>/<name>`. */
  objects(): Record<string, FakeObject>;
  putObject(key: string, object: FakeObject): void;
  setFaults(faults: Readonly<Record<string, unknown>>): void;
  /** One line for each kubectl command since the last call. */
  takeCommands(): string[];
  stateText(): string;
  remove(): void;
}

export interface FakeObject {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

export function programDirectory(name: string): string {
  return fileURLToPath(new URL(`./programs/${name}/`, import.meta.url));
}

export function newWorkplace(program: string): Workplace {
  const directory = mkdtempSync(join(tmpdir(), 'engine-test-'));
  const clusterFile = join(directory, 'cluster.json');
  const kubectl = join(directory, 'kubectl');
  writeFileSync(kubectl, `#!/bin/sh\nexec "${process.execPath}" "${FAKE}" "$@"\n`);
  chmodSync(kubectl, 0o755);
  const stateDirectory = join(directory, 'state');
  const events: EngineEvent[] = [];
  const log = `${clusterFile}.log`;
  const objects = (): Record<string, FakeObject> =>
    existsSync(clusterFile) ? JSON.parse(readFileSync(clusterFile, 'utf8')) : {};
  return {
    directory,
    kubectl,
    clusterFile,
    stateDirectory,
    events,
    objects,
    options: (changes = {}) => ({
      directory: programDirectory(program),
      stack: 'dev',
      stateDirectory,
      kubectl: { path: kubectl, environment: { FAKE_CLUSTER: clusterFile } },
      pollMilliseconds: 20,
      secretConfig: { token: TOKEN },
      onEvent: (event) => events.push(event),
      ...changes,
    }),
    putObject: (key, object) => writeFileSync(clusterFile, JSON.stringify({ ...objects(), [key]: object })),
    setFaults: (faults) => writeFileSync(`${clusterFile}.faults.json`, JSON.stringify(faults)),
    takeCommands: () => {
      const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
      writeFileSync(log, '');
      return lines.filter((line) => line !== '');
    },
    stateText: () => readFileSync(join(stateDirectory, 'state.json'), 'utf8'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** `create namespace`, `delete workload`, … in order; unchanged resources and components left out. */
export function done(steps: readonly StepEvent[]): string[] {
  return steps
    .filter(({ step, type }) => step !== 'same' && !type.startsWith('basic:'))
    .map(({ step, name }) => `${step} ${name}`);
}

/** Whether `first` comes before `second` in the list, with both in it. */
export function isBefore(list: readonly string[], first: string, second: string): boolean {
  return list.includes(first) && list.includes(second) && list.indexOf(first) < list.indexOf(second);
}
