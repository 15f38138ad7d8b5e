import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { previewStacks } from '../../automation/preview/preview-stacks.ts';
import { previewStack } from '../../automation/preview/stack-preview.ts';
import { machineOf } from '../lib/machine.ts';
import { ownCpuSeconds } from '../lib/measure.ts';
import { type CaseResult, minuteNow } from '../lib/results.ts';
import type { Run } from '../lib/statistics.ts';
import type { Teller } from '../lib/teller.ts';

/** What a pull request waits for: a change of the program on many stacks, and a change of one. */

export interface PreviewsOptions {
  readonly stacks: number;
  /** Stacks that are previewed in processes of their own, to compare with. */
  readonly sample: number;
  readonly directory: string;
  readonly repository: string;
  readonly teller: Teller;
}

const MAX_SECONDS = { all: 180, one: 20 } as const;
const PARTS = ['Pulumi.yaml', 'package.json', 'index.ts', 'node-version.mjs', 'components', 'stacks'];

export async function runPreviewsBench(options: PreviewsOptions): Promise<CaseResult> {
  const { stacks, sample, repository, teller } = options;
  const root = await mkdtemp(join(options.directory, 'scipion-bench-previews-'));
  try {
    const names = Array.from({ length: stacks }, (_, number) => `user${`${number}`.padStart(4, '0')}`);
    const [base, head] = [join(root, 'base'), join(root, 'head')];
    for (const copy of [base, head]) await writeCopy(copy, repository, names);
    const labels = join(head, 'components/manifests/metadata.ts');
    const text = await readFile(labels, 'utf8');
    await writeFile(labels, text.replace("'app.kubernetes.io/name'", "'example.org/changed'"));

    const preview = async (of: readonly string[]): Promise<Run> => {
      const changed = {
        stacks: of,
        existing: names,
        removed: [],
        refused: [],
        because: 'the program changed',
      };
      const run = await timed(async () => {
        const reports = await previewStacks(changed, head, base);
        const other = reports.find(({ state }) => state !== 'changed');
        if (other) throw new Error(`${other.stack} is ${other.state}; expected: changed. ${other.text}`);
      });
      teller.result(
        `${of.length} of ${stacks} stacks: ${run.seconds.toFixed(1)} s, ${run.cpuSeconds?.toFixed(1)} s of processor, load before ${run.load}`,
      );
      return run;
    };
    teller.step('one stack');
    const one = await preview(names.slice(0, 1));
    teller.step(`${stacks} stacks`);
    const all = await preview(names);
    teller.step(`${sample} stacks, each render in a process of its own`);
    const alone = await timed(async () => {
      await pLimit(availableParallelism()).map(names.slice(0, sample), (stack) =>
        previewStack(stack, head, base),
      );
    });
    const scaled = { ...alone, seconds: (alone.seconds / sample) * stacks };
    teller.result(
      `${sample} stacks alone: ${alone.seconds.toFixed(1)} s, so ${stacks}: ${scaled.seconds.toFixed(0)} s`,
    );
    return {
      name: 'program-previews',
      title: `A change of the program on ${stacks} stacks`,
      setup: `Both sides of ${stacks} stacks are rendered and compared. The other bar is ${sample} stacks in processes of their own, times ${(stacks / sample).toFixed(1)}.`,
      scale: 'full',
      measuredAt: minuteNow(),
      machine: machineOf(options.directory),
      series: [
        { name: 'ours', label: 'many stacks in a process', isOurs: true, runs: [all] },
        { name: 'alone', label: 'a process for each', isOurs: false, runs: [scaled] },
      ],
      targets: [
        {
          text: `${stacks} stacks`,
          measured: all.seconds,
          limit: MAX_SECONDS.all,
          sense: 'at most',
          unit: 's',
        },
        {
          text: 'one changed stack',
          measured: one.seconds,
          limit: MAX_SECONDS.one,
          sense: 'at most',
          unit: 's',
        },
      ],
      growth: [],
    };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<void>): Promise<Run> {
  const load = Number(loadavg()[0]?.toFixed(1));
  const [begin, before] = [performance.now(), ownCpuSeconds()];
  await work();
  const seconds = (performance.now() - begin) / 1000;
  return { seconds, load, peakBytes: null, requests: null, cpuSeconds: ownCpuSeconds() - before };
}

async function writeCopy(directory: string, repository: string, names: readonly string[]): Promise<void> {
  await mkdir(directory);
  for (const part of [...PARTS, 'sidecar/contract'])
    await cp(join(repository, part), join(directory, part), { recursive: true });
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'));
  for (const name of names) {
    const values = {
      onedataHost: 'provider.example.org',
      sourceSpaceId: 'source',
      projectSpaceId: `project-${name}`,
    };
    const lines = Object.entries(values).map(([key, value]) => `  scipion:${key}: ${value}\n`);
    await writeFile(join(directory, 'stacks', `Pulumi.${name}.yaml`), `config:\n${lines.join('')}`);
  }
}
