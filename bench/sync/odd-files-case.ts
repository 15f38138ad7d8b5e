import { appendFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FaultRule } from '../../emulators/onedata/faults.ts';
import { VOLUME_FOLDERS } from '../../sidecar/contract/paths.ts';
import type { FileProblems } from '../../sidecar/contract/status.ts';
import { medianSeconds, type Run } from '../lib/statistics.ts';
import { alternate, type Case, counted, scaled, type Workbench } from './case.ts';
import { Engine, type EngineRequest, runOf } from './engine.ts';
import { Server } from './server.ts';
import { diskBytes, makeTree, type TreeShape } from './trees.ts';

/** What a single file that is odd costs all others: each work with and without it, in turn. */

const ODD = 'odd.bin';
/** No other file has this size. */
const ODD_BYTES = 5_000;
const PRELOAD = fileURLToPath(new URL('../../sidecar/test/attacks/process-faults.ts', import.meta.url));
const GROWS_EVERY_MS = 5;

const shapeOf = (scale: Workbench['scale']): TreeShape => {
  const files = scaled(5_000, scale, 20);
  return { files, directories: Math.max(1, Math.round(files / 100)), bytesPerFile: 1024 };
};

interface Fault {
  readonly label: string;
  /** Calls to the file system that fail for this file. */
  readonly calls?: { readonly calls: readonly string[]; readonly errno: string };
  /** What the server does with the content of this file. */
  readonly answer?: FaultRule['action'];
  /** Makes the file odd on the volume. @returns what ends it */
  readonly make?: (file: string) => () => void;
  /** How many are left out; the default is the odd one. */
  readonly leftOut?: readonly number[];
}

const internal = {
  kind: 'error',
  status: 500,
  id: 'internalServerError',
  details: { reference: 'odd' },
} as const;
const gone = { kind: 'error', status: 404, id: 'notFound' } as const;
const cut = { kind: 'truncate-body', afterBytes: 0 } as const;
const denied = { kind: 'error', status: 400, id: 'posix', details: { errno: 'eacces' } } as const;
const OPENS = ['open', 'read', 'readFile'];

function growing(file: string): () => void {
  const timer = setInterval(() => appendFileSync(file, 'more'), GROWS_EVERY_MS);
  return () => clearInterval(timer);
}

/** Later than 64 bits of nanoseconds hold. */
function farAway(file: string): () => void {
  const seconds = Date.parse('2300-01-01') / 1000;
  utimesSync(file, seconds, seconds);
  return () => {};
}

const FAULTS: Readonly<Record<string, readonly Fault[]>> = {
  'stage-in': [
    { label: 'answered 500', answer: internal },
    { label: 'answered 404', answer: gone },
    { label: 'may not be read', answer: denied },
    { label: 'its content is cut', answer: cut },
  ],
  save: [
    { label: 'EIO when it is read', calls: { calls: OPENS, errno: 'EIO' } },
    { label: 'may not be read', calls: { calls: OPENS, errno: 'EACCES' } },
    { label: 'of the year 2300', make: farAway, leftOut: [0] },
    { label: 'grows while it is read', make: growing, leftOut: [0, 1] },
    { label: 'upload answered 500', answer: internal },
    { label: 'upload cut', answer: { kind: 'cut' } },
  ],
  restore: [
    { label: 'answered 500', answer: internal },
    { label: 'its content is cut', answer: cut },
    { label: 'EIO when it is written', calls: { calls: ['rename', 'link', 'open'], errno: 'EIO' } },
  ],
};

interface Bed {
  readonly bench: Workbench;
  readonly server: Server;
  readonly orders: string;
  readonly shape: TreeShape;
  /** The id of the odd file in the space that is only read. */
  readonly oddId: string;
}

async function run(bed: Bed, work: string, fault: Fault): Promise<Run> {
  const { server, orders, bench, shape } = bed;
  const root = join(bench.directory, `run-${runs}`);
  runs += 1;
  const isSave = work === 'save';
  const order = await prepare(bed, work, root);
  const file = join(root, VOLUME_FOLDERS.data, ODD);
  const end = fault.make?.(file) ?? (() => {});
  const calls = fault.calls === undefined ? [] : [{ ...fault.calls, path: `${VOLUME_FOLDERS.data}/${ODD}$` }];
  writeFileSync(orders, JSON.stringify(calls));
  const path = isSave ? '.' : `${bed.oddId}/content`;
  const meant = isSave ? { method: 'PUT', bodyBytes: ODD_BYTES, path } : { path };
  await server.setFaults(fault.answer === undefined ? [] : [{ ...meant, action: fault.answer }]);
  const engine = new Engine({ preload: PRELOAD, environment: { SYNC_ATTACK_ORDERS: orders } });
  try {
    if (isSave)
      await engine.order({ do: 'open-project', root, space: server.spec(`save-${runs}`), start: false });
    const done = await engine.order(order);
    const { fileProblems, missing } = done.result as { fileProblems?: FileProblems; missing?: FileProblems };
    const found = (fileProblems ?? missing)?.total ?? 0;
    const expected = fault.leftOut ?? [fault.label === NONE.label ? 0 : 1];
    const all = Number(done.result.copied ?? done.result.restored ?? done.result.changes);
    if (!expected.includes(found) || all < shape.files)
      throw new Error(`${work}, ${fault.label}: ${found} files were left out and ${all} copied`);
    return runOf(done);
  } finally {
    end();
    await engine.close();
    await server.setFaults([]);
  }
}
let runs = 0;
const NONE: Fault = { label: 'all files are as they should be' };

/** What is timed, after what it needs was made. */
async function prepare({ server, shape }: Bed, work: string, root: string): Promise<EngineRequest> {
  if (work === 'stage-in') return { do: 'stage-in', root, space: server.spec('source') };
  if (work === 'restore')
    return { do: 'open-project', root, space: server.spec('project'), start: true, confirmedMissing: 1 };
  await makeVolume(join(root, VOLUME_FOLDERS.data), shape);
  await server.addSpace(`save-${runs}`);
  return { do: 'save', full: true };
}

async function makeVolume(data: string, shape: TreeShape): Promise<void> {
  await makeTree(data, shape);
  writeFileSync(join(data, ODD), Buffer.alloc(ODD_BYTES, 'odd '));
}

export const oddFilesCase: Case = {
  name: 'odd-files',
  title: 'What a single odd file costs all others',
  diskBytes: (scale) => 120 * diskBytes(shapeOf(scale)),
  async run(bench) {
    const shape = shapeOf(bench.scale);
    const source = join(bench.directory, 'source');
    await makeVolume(source, shape);
    const orders = join(bench.directory, 'orders');
    const server = await Server.start(join(bench.directory, 'onedata'));
    try {
      const oddId = await fill(bench, server, source, shape);
      const series = [];
      const targets = [];
      for (const [work, faults] of Object.entries(FAULTS)) {
        const ids = { 'stage-in': oddId.source, restore: oddId.project, save: '' } as Record<string, string>;
        const bed = { bench, server, orders, shape, oddId: ids[work] ?? '' };
        const all = [NONE, ...faults];
        const competitors = Object.fromEntries(
          all.map((fault) => [`${work}, ${fault.label}`, () => run(bed, work, fault)]),
        );
        const found = await alternate(bench, competitors);
        const baseline = medianSeconds(found[`${work}, ${NONE.label}`] ?? []);
        for (const [label, each] of Object.entries(found)) {
          series.push({ name: label.replaceAll(/\W+/g, '-'), label, isOurs: true, runs: each });
          if (label.endsWith(NONE.label)) continue;
          targets.push({
            text: `${label}: time against that without`,
            measured: medianSeconds(each) / baseline,
            limit: 1.2,
            sense: 'at most' as const,
            unit: '×',
          });
        }
      }
      return {
        setup: `${counted(shape.files)} files of ${shape.bytesPerFile} bytes and one odd one, over REST and TLS to the Onedata emulator; all others are copied in each run.`,
        series,
        targets,
        growth: [],
      };
    } finally {
      await server.close();
    }
  },
};

/** A source space and a project space with all files. @returns ids of the odd one */
async function fill(
  bench: Workbench,
  server: Server,
  source: string,
  shape: TreeShape,
): Promise<{ source: string; project: string }> {
  bench.teller.step('filling the spaces');
  await server.addSpace('source', source);
  await server.addSpace('project');
  const root = join(bench.directory, 'first');
  await makeVolume(join(root, VOLUME_FOLDERS.data), shape);
  const engine = new Engine();
  try {
    await engine.order({ do: 'open-project', root, space: server.spec('project'), start: false });
    await engine.order({ do: 'save', full: true });
  } finally {
    await engine.close();
  }
  const idIn = async (space: string) =>
    (await server.files(space)).find(({ name }) => name === ODD)?.id ?? 'none';
  return { source: await idIn('source'), project: await idIn('project') };
}
