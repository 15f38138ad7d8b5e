import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../sidecar/contract/paths.ts';
import type { Growth, Scale } from '../lib/results.ts';
import type { Run } from '../lib/statistics.ts';
import { type Case, counted, scaled, type Workbench } from './case.ts';
import { Engine, runOf } from './engine.ts';
import { Server } from './server.ts';
import { stageInRun } from './transfer-cases.ts';
import { diskBytes, makeTree, type TreeShape } from './trees.ts';

const SIZES = [200_000, 1_000_000] as const;
const MEBIBYTE = 2 ** 20;

const shapeOf = (files: number): TreeShape => ({
  files,
  directories: Math.max(1, Math.round(files / 200)),
  bytesPerFile: 64,
});

const sizes = (scale: Scale): number[] => SIZES.map((size) => scaled(size, scale, 20));

const WORKS = ['save', 'autosave', 'stage-in', 'restore'] as const;
type Work = (typeof WORKS)[number];
const LABELS: Record<Work, string> = {
  save: 'first save',
  autosave: 'autosave after it, nothing changed',
  'stage-in': 'stage-in to an empty volume',
  restore: 'restore to an empty volume',
};

/** One run of each: what counts is memory, which hardly varies, and a million files take minutes. */
export const memoryCase: Case = {
  name: 'memory',
  title: 'Memory of the first save, stage-in and restore of very many files',
  diskBytes: (scale) => sizes(scale).reduce((sum, files) => sum + 4.5 * diskBytes(shapeOf(files)), 0),
  async run(bench) {
    const all: { files: number; runs: Record<Work, Run> }[] = [];
    for (const files of sizes(bench.scale)) all.push({ files, runs: await atSize(bench, shapeOf(files)) });
    const [smallest, largest] = [all[0], all.at(-1)];
    if (smallest === undefined || largest === undefined) throw new Error('there are no sizes');
    const peak = (runs: Record<Work, Run>, work: Work) => (runs[work].peakBytes ?? 0) / MEBIBYTE;
    return {
      setup:
        `${all.map(({ files }) => counted(files)).join(' and ')} files of 64 bytes, 200 in a directory, over REST and TLS ` +
        'to the Onedata emulator; one run of each, in a process of its own. The table is of the larger number.',
      series: WORKS.map((work) => ({
        name: work,
        label: LABELS[work],
        isOurs: true,
        runs: [largest.runs[work]],
      })),
      targets: [
        ...(['save', 'stage-in', 'restore'] as const).flatMap((work) => [
          {
            text: `${LABELS[work]}: highest memory`,
            measured: peak(largest.runs, work),
            limit: 350,
            sense: 'at most' as const,
            unit: 'MiB',
          },
          {
            text: `${LABELS[work]}: memory at ${counted(largest.files)} files against ${counted(smallest.files)}`,
            measured: peak(largest.runs, work) / peak(smallest.runs, work),
            limit: 1.3,
            sense: 'at most' as const,
            unit: '×',
          },
        ]),
        {
          text: 'requests of the autosave',
          measured: largest.runs.autosave.requests ?? Number.NaN,
          limit: 0,
          sense: 'at most',
          unit: '',
        },
      ],
      growth: [memoryGrowth(all)],
    };
  },
};

function memoryGrowth(all: readonly { files: number; runs: Record<Work, Run> }[]): Growth {
  return {
    title: 'Highest memory',
    unit: 'MiB',
    lines: WORKS.map((work) => ({
      label: LABELS[work],
      isOurs: true,
      points: all.map(({ files, runs }) => ({ files, value: (runs[work].peakBytes ?? 0) / MEBIBYTE })),
    })),
  };
}

async function atSize(bench: Workbench, shape: TreeShape): Promise<Record<Work, Run>> {
  const directory = join(bench.directory, String(shape.files));
  const root = join(directory, 'volume');
  const step = (what: string) => bench.teller.step(`${counted(shape.files)} files: ${what}`);
  step('making the volume');
  await makeTree(join(root, VOLUME_FOLDERS.data), shape);
  const server = await Server.start(join(directory, 'onedata'));
  try {
    await server.addSpace('project');
    const space = server.spec('project');
    step('first save');
    const saved = await saveAndAutosave(root, space, shape.files);
    step('stage-in');
    const expected = { files: shape.files, bytes: shape.files * shape.bytesPerFile };
    const stagedIn = await stageInRun(join(directory, 'source'), space, expected);
    step('restore');
    const restored = await restoreRun(join(directory, 'restored'), space, shape.files);
    const runs = { ...saved, 'stage-in': stagedIn, restore: restored };
    for (const work of WORKS) {
      const { seconds, peakBytes, requests } = runs[work];
      bench.teller.result(
        `  ${counted(shape.files)} files, ${LABELS[work]}: ${((peakBytes ?? 0) / MEBIBYTE).toFixed(0)} MiB, ${seconds.toFixed(2)} s, ${requests} requests`,
      );
    }
    return runs;
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function saveAndAutosave(
  root: string,
  space: ReturnType<Server['spec']>,
  files: number,
): Promise<{ save: Run; autosave: Run }> {
  const engine = new Engine();
  try {
    await engine.order({ do: 'open-project', root, space, start: false });
    const first = await engine.order({ do: 'save', full: true });
    if (Number(first.result.changes) < files)
      throw new Error(`a save of ${files} files saved ${first.result.changes}`);
    // The first look after a start is one at everything.
    await engine.order({ do: 'save', full: false });
    const autosave = await engine.order({ do: 'save', full: false });
    return { save: runOf(first), autosave: runOf(autosave) };
  } finally {
    await engine.close();
  }
}

async function restoreRun(root: string, space: ReturnType<Server['spec']>, files: number): Promise<Run> {
  const engine = new Engine();
  try {
    const done = await engine.order({ do: 'open-project', root, space, start: true });
    if (Number(done.result.restored) < files)
      throw new Error(`a restore of ${files} files restored ${done.result.restored}`);
    return runOf(done);
  } finally {
    await engine.close();
  }
}
