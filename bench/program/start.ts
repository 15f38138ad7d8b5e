import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { machineOf } from '../lib/machine.ts';
import { measure } from '../lib/measure.ts';
import { type CaseResult, minuteNow, type Series } from '../lib/results.ts';
import type { Run } from '../lib/statistics.ts';
import type { Teller } from '../lib/teller.ts';

export interface StartOptions {
  readonly repeats: number;
  readonly repository: string;
  readonly teller: Teller;
}

/** Each loads what the one before loads, and more. */
const LOADS = [
  { name: 'node', label: 'Node alone', modules: [] },
  { name: 'pulumi', label: 'with @pulumi/pulumi', modules: ['@pulumi/pulumi'] },
  {
    name: 'kubernetes',
    label: 'with the parts of @pulumi/kubernetes',
    modules: ['@pulumi/pulumi', './components/kubernetes.ts'],
  },
  {
    name: 'ours',
    label: 'with all that index.ts loads',
    modules: [
      './components/identity.ts',
      './components/removal-only.ts',
      './components/scipion-instance.ts',
      './stacks/load.ts',
    ],
  },
] as const;

/** What each `pulumi preview` and `up` spends before the program says its first resource. */
export async function runStartBench({ repeats, repository, teller }: StartOptions): Promise<CaseResult> {
  const runs = new Map<string, Run[]>();
  for (let round = 0; round < repeats; round += 1) {
    teller.step(`start, round ${round + 1} of ${repeats}`);
    for (const { name, modules } of round % 2 === 0 ? LOADS : LOADS.toReversed()) {
      const run = await measure({
        file: process.execPath,
        arguments: [
          '--disable-warning=ExperimentalWarning',
          '--input-type=module',
          '--eval',
          modules.map((each) => `await import(${JSON.stringify(urlOf(each, repository))});`).join('\n'),
        ],
      });
      runs.set(name, [...(runs.get(name) ?? []), run]);
    }
  }
  return {
    name: 'program-start',
    title: 'The start of index.ts alone',
    setup: 'A process that loads the modules and ends, without an engine and without a resource.',
    scale: 'full',
    measuredAt: minuteNow(),
    machine: machineOf(tmpdir()),
    series: LOADS.map(
      ({ name, label }): Series => ({ name, label, isOurs: name === 'ours', runs: runs.get(name) ?? [] }),
    ),
    targets: [],
    growth: [],
  };
}

const urlOf = (module: string, repository: string) =>
  module.startsWith('.')
    ? new URL(module, `${pathToFileURL(repository).href.replace(/\/$/, '')}/`).href
    : import.meta.resolve(module);
