import { appendFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../sidecar/contract/paths.ts';
import { measure } from '../lib/measure.ts';
import type { Growth, Scale, Target } from '../lib/results.ts';
import { highest, medianSeconds, type Run } from '../lib/statistics.ts';
import { alternate, type Case, counted, scaled, timeRatio, type Workbench } from './case.ts';
import { Engine, runOf, type SpaceSpec } from './engine.ts';
import { diskBytes, filePath, makeTree, type TreeShape } from './trees.ts';

const SIZES = [10_000, 100_000, 1_000_000] as const;
const CHANGED_FILES = 100;
const MEBIBYTE = 2 ** 20;

const shapeOf = (files: number): TreeShape => ({
  files,
  directories: Math.max(1, Math.round(files / 100)),
  bytesPerFile: 64,
});

const sizes = (scale: Scale): number[] => [...new Set(SIZES.map((size) => scaled(size, scale, 20)))];

interface SizeRuns {
  readonly files: number;
  readonly unchanged: Record<string, Run[]>;
  readonly changed: Record<string, Run[]>;
}

/** A project volume of many small files, its space mounted as a directory, and Scipion doing little or nothing. */
export const autosaveCase: Case = {
  name: 'autosave',
  title: 'Autosave of a large project',
  diskBytes: (scale) => 2.5 * diskBytes(shapeOf(Math.max(...sizes(scale)))),
  async run(bench) {
    const all: SizeRuns[] = [];
    for (const files of sizes(bench.scale)) all.push(await atSize(bench, files));
    const largest = all.at(-1) as SizeRuns;
    const { unchanged, changed } = largest;
    const shape = shapeOf(largest.files);
    return {
      setup:
        `${counted(shape.files)} files of ${shape.bytesPerFile} bytes in ${counted(shape.directories)} directories, saved before; ` +
        `the space is a directory on the same disk. Nothing has changed, then ${CHANGED_FILES} files have. ` +
        'rsync compares the same two trees.',
      series: [
        series('scan', 'ours, full scan', true, unchanged.scan),
        series('autosave', 'ours, autosave', true, unchanged.autosave),
        series('rsync', 'rsync -a --delete', false, unchanged.rsync),
        series('find', 'find (limit)', false, unchanged.find),
        series('changed-ours', `ours, ${CHANGED_FILES} changed`, true, changed.ours),
        series('changed-rsync', `rsync, ${CHANGED_FILES} changed`, false, changed.rsync),
      ],
      targets: targetsOf(all, largest),
      growth: growthOf(all),
    };
  },
};

const series = (name: string, label: string, isOurs: boolean, runs: readonly Run[] | undefined) => ({
  name,
  label,
  isOurs,
  runs: runs ?? [],
});

async function atSize(bench: Workbench, files: number): Promise<SizeRuns> {
  const directory = join(bench.directory, String(files));
  const root = join(directory, 'volume');
  const data = join(root, VOLUME_FOLDERS.data);
  const space = join(directory, 'space');
  const mirror = join(directory, 'mirror');
  const shape = shapeOf(files);
  bench.teller.step(`${counted(files)} files: making volume and space`);
  await makeTree(data, shape);
  await measure({ file: 'cp', arguments: ['-a', data, space] });
  // Both competitors replace files as a whole, so a mirror of links stays its own.
  await measure({ file: 'cp', arguments: ['-al', space, mirror] });
  await seed(bench, root, space);
  bench.teller.result(`${counted(files)} files in ${counted(shape.directories)} directories`);
  const spec: SpaceSpec = { kind: 'directory', directory: space };
  const engine = new Engine();
  const rsync = () => measure({ file: 'rsync', arguments: ['-a', '--delete', `${data}/`, `${mirror}/`] });
  try {
    await engine.order({ do: 'open-project', root, space: spec, start: false });
    const idle = async (full: boolean): Promise<Run> => {
      const done = await engine.order({ do: 'save', full });
      if (done.result.saved !== false) throw new Error('a save without changes saved something');
      return runOf(done);
    };
    await idle(true);
    const unchanged = await alternate(bench, {
      scan: () => idle(true),
      autosave: () => idle(false),
      rsync,
      find: () => measure({ file: 'find', arguments: [data, '-newermt', '2100-01-01'] }),
    });
    let generation = 0;
    const changed = await alternate(bench, {
      // The same changes for both: whoever begins a round makes them.
      ours: async (round) => {
        generation = change(data, shape, round, generation);
        const done = await engine.order({ do: 'save', full: false });
        if (done.result.changes !== Math.min(CHANGED_FILES, files))
          throw new Error(`a save of ${CHANGED_FILES} changed files saved ${done.result.changes}`);
        return runOf(done);
      },
      rsync: async (round) => {
        generation = change(data, shape, round, generation);
        return rsync();
      },
    });
    return { files, unchanged, changed };
  } finally {
    await engine.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function seed(bench: Workbench, root: string, space: string): Promise<void> {
  const spec: SpaceSpec = { kind: 'directory', directory: space };
  bench.teller.step('noting all files as saved');
  const seeder = new Engine();
  await seeder.order({ do: 'seed-project', root, space: spec }).finally(() => seeder.close());
  // One changed file makes the engine write its manifest, as the first real save would.
  appendFileSync(join(root, VOLUME_FOLDERS.data, 'first'), 'x');
  bench.teller.step('saving one file');
  const first = new Engine();
  try {
    await first.order({ do: 'open-project', root, space: spec, start: false });
    await first.order({ do: 'save', full: true });
  } finally {
    await first.close();
  }
}

/** Appends to `CHANGED_FILES` files, once a round. @returns number of rounds that have changes */
function change(data: string, shape: TreeShape, round: number, done: number): number {
  if (done > round) return done;
  const step = Math.max(1, Math.floor(shape.files / CHANGED_FILES));
  for (let number = 0; number < Math.min(CHANGED_FILES, shape.files); number += 1) {
    appendFileSync(join(data, filePath((number * step) % shape.files, shape)), `round ${round}\n`);
  }
  return round + 1;
}

function targetsOf(all: readonly SizeRuns[], { unchanged, changed }: SizeRuns): Target[] {
  const { scan = [], autosave = [], rsync = [] } = unchanged;
  const most = (measured: number, limit: number, text: string, unit = '×'): Target => ({
    text,
    measured,
    limit,
    sense: 'at most',
    unit,
  });
  const peak = ({ unchanged: runs }: SizeRuns) => highest(runs.scan ?? [], 'peakBytes') ?? 0;
  const [before, last] = all.slice(-2) as [SizeRuns, SizeRuns];
  return [
    most(timeRatio(autosave, rsync), 0.005, 'autosave with nothing changed, time against rsync'),
    most(timeRatio(scan, rsync), 0.5, 'full scan, time against rsync'),
    most(highest(autosave, 'requests') ?? 0, 0, 'requests of an autosave with nothing changed', ''),
    most(timeRatio(changed.ours ?? [], rsync), 0.1, `${CHANGED_FILES} files changed, time against rsync`),
    most(peak(last) / MEBIBYTE, 200, 'highest memory', 'MiB'),
    most(peak(last) / peak(before), 1.2, 'memory at the largest size against the one before'),
  ];
}

function growthOf(all: readonly SizeRuns[]): Growth[] {
  const line = (label: string, isOurs: boolean, value: (runs: SizeRuns) => number) => ({
    label,
    isOurs,
    points: all.map((runs) => ({ files: runs.files, value: value(runs) })),
  });
  const seconds = (name: string) => (runs: SizeRuns) => medianSeconds(runs.unchanged[name] ?? []);
  const mebibytes = (name: string) => (runs: SizeRuns) =>
    (highest(runs.unchanged[name] ?? [], 'peakBytes') ?? 0) / MEBIBYTE;
  return [
    {
      title: 'Time of a run without changes',
      unit: 's',
      lines: [
        line('ours, full scan', true, seconds('scan')),
        line('ours, autosave', true, seconds('autosave')),
        line('rsync', false, seconds('rsync')),
        line('find', false, seconds('find')),
      ],
    },
    {
      title: 'Highest memory of a run without changes',
      unit: 'MiB',
      lines: [line('ours', true, mebibytes('scan')), line('rsync', false, mebibytes('rsync'))],
    },
  ];
}
