import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../sidecar/contract/paths.ts';
import { measure } from '../lib/measure.ts';
import { rcloneCopy, serveWithRclone } from '../lib/rclone.ts';
import { medianSeconds, type Run } from '../lib/statistics.ts';
import { alternate, assertTotals, type Case, counted, scaled, timeRatio, type Workbench } from './case.ts';
import { Engine, type EngineVariant, runOf } from './engine.ts';
import { Server } from './server.ts';
import { diskBytes, makeTree, type TreeShape, totalsOf } from './trees.ts';

/** Requests at one time that the engine makes by default; rclone gets as many. */
export const CONNECTIONS = 16;
const S3_KEYS = 'bench,bench-secret';

export const smallFiles = (bench: Pick<Workbench, 'scale'>): TreeShape => {
  const files = scaled(20_000, bench.scale, 4);
  return { files, directories: Math.max(1, Math.round(files / 100)), bytesPerFile: 8192 };
};

export const describe = ({ files, directories, bytesPerFile }: TreeShape): string =>
  `${counted(files)} files of ${bytesPerFile / 1024} KiB in ${counted(directories)} directories`;

/**
 * A new folder for each run. Nothing is removed while small files are timed: ext4 passes over the numbers of files that
 * went in the last minutes, one by one, so that a copy after a removal takes two to three times as long.
 */
export function freshTarget(bench: Workbench): string {
  const target = join(bench.directory, `target-${targets}`);
  targets += 1;
  return target;
}
let targets = 0;

/** Copies the source space to an empty volume in a process of its own, and checks the copy, which stays. */
export async function stageInRun(
  target: string,
  space: ReturnType<Server['spec']>,
  expected: { files: number; bytes: number },
  variant?: EngineVariant,
): Promise<Run> {
  const engine = new Engine(variant === undefined ? {} : { variant });
  try {
    const done = await engine.orderAll({ do: 'stage-in', root: target, space });
    assertTotals('the engine', totalsOf(join(target, VOLUME_FOLDERS.data)), expected);
    return runOf(done);
  } finally {
    await engine.close();
  }
}

export async function peerRun(
  target: string,
  expected: { files: number; bytes: number },
  work: (target: string) => Promise<Run>,
): Promise<Run> {
  mkdirSync(target, { recursive: true });
  const run = await work(target);
  assertTotals('the peer', totalsOf(target), expected);
  return run;
}

export const stageInSmallCase: Case = {
  name: 'stage-in-small',
  title: 'Stage-in of many small files',
  diskBytes: (scale) => 16 * diskBytes(smallFiles({ scale })),
  async run(bench) {
    const shape = smallFiles(bench);
    const source = join(bench.directory, 'source');
    await makeTree(source, shape);
    const expected = { files: shape.files, bytes: shape.files * shape.bytesPerFile };
    const server = await Server.start(join(bench.directory, 'onedata'));
    const program = await bench.rclone();
    const plain = await serveWithRclone({ program, kind: 'http', directory: source });
    const secure = await serveWithRclone({ program, kind: 'http', directory: source, tls: server.tls });
    try {
      bench.teller.step('filling the source space');
      await server.addSpace('source', source);
      const fromHttp = (url: string) => () =>
        peerRun(freshTarget(bench), expected, (target) =>
          measure(
            rcloneCopy(program, ':http:', target, CONNECTIONS, [
              `--http-url=${url}`,
              `--ca-cert=${server.started.authorityFile}`,
            ]),
          ),
        );
      const runs = await alternate(bench, {
        ours: () => stageInRun(freshTarget(bench), server.spec('source'), expected),
        plain: fromHttp(plain.url),
        secure: fromHttp(secure.url),
        disk: () =>
          peerRun(freshTarget(bench), expected, (target) =>
            measure({ file: 'cp', arguments: ['-a', `${source}/.`, target] }),
          ),
      });
      const { ours = [], plain: rclone = [], secure: rcloneSecure = [], disk = [] } = runs;
      return {
        setup: `${describe(shape)}; ours over REST and TLS from the Onedata emulator, rclone from "rclone serve http" over the same files, ${CONNECTIONS} at one time. Each run is a process of its own into an empty folder.`,
        series: [
          { name: 'ours', label: 'ours, REST over TLS', isOurs: true, runs: ours },
          { name: 'rclone', label: 'rclone, HTTP', isOurs: false, runs: rclone },
          { name: 'rclone-tls', label: 'rclone, HTTPS', isOurs: false, runs: rcloneSecure },
          { name: 'disk', label: 'cp (limit)', isOurs: false, runs: disk },
        ],
        targets: [
          {
            text: 'files a second against rclone without TLS',
            measured: 1 / timeRatio(ours, rclone),
            limit: 1.2,
            sense: 'at least',
            unit: '×',
          },
          {
            text: 'files a second against rclone with TLS, as ours',
            measured: 1 / timeRatio(ours, rcloneSecure),
            limit: 1.2,
            sense: 'at least',
            unit: '×',
          },
        ],
        growth: [],
      };
    } finally {
      await Promise.all([server.close(), plain.close(), secure.close()]);
    }
  },
};

export const saveSmallCase: Case = {
  name: 'save-small',
  title: 'First save of many small files',
  diskBytes: (scale) => 14 * diskBytes(smallFiles({ scale })),
  async run(bench) {
    const shape = smallFiles(bench);
    const root = join(bench.directory, 'volume');
    const data = join(root, VOLUME_FOLDERS.data);
    await makeTree(data, shape);
    const expected = { files: shape.files, bytes: shape.files * shape.bytesPerFile };
    const server = await Server.start(join(bench.directory, 'onedata'));
    const program = await bench.rclone();
    const bucket = join(bench.directory, 'served');
    mkdirSync(bucket, { recursive: true });
    const s3 = await serveWithRclone({ program, kind: 's3', directory: bucket, keys: S3_KEYS });
    const [key, secret] = S3_KEYS.split(',');
    const remote = (name: string) =>
      `:s3,provider=Rclone,access_key_id=${key},secret_access_key=${secret},endpoint='${s3.url}',use_multipart_uploads=false:${name}`;
    try {
      const runs = await alternate(bench, {
        ours: async (round) => {
          await server.addSpace(`project-${round}`);
          return saveRun(root, server.spec(`project-${round}`), shape.files);
        },
        rclone: (round) => {
          const target = join(bucket, `save-${round}`);
          return peerRun(target, expected, () =>
            measure(rcloneCopy(program, data, remote(`save-${round}`), CONNECTIONS)),
          );
        },
        disk: () => {
          return peerRun(freshTarget(bench), expected, (target) =>
            measure({ file: 'cp', arguments: ['-a', `${data}/.`, target] }),
          );
        },
      });
      const { ours = [], rclone = [], disk = [] } = runs;
      return {
        setup: `${describe(shape)} to an empty space; ours all-or-nothing, over REST and TLS to the Onedata emulator; rclone a plain copy to "rclone serve s3", ${CONNECTIONS} at one time.`,
        series: [
          { name: 'ours', label: 'ours, all or nothing', isOurs: true, runs: ours },
          { name: 'rclone', label: 'rclone copy, S3', isOurs: false, runs: rclone },
          { name: 'disk', label: 'cp (limit)', isOurs: false, runs: disk },
        ],
        targets: [
          {
            text: "files a second against rclone's plain copy",
            measured: 1 / timeRatio(ours, rclone),
            limit: 0.8,
            sense: 'at least',
            unit: '×',
          },
          {
            text: 'requests a file',
            measured: (ours[0]?.requests ?? Number.NaN) / shape.files,
            limit: 2.1,
            sense: 'at most',
            unit: '',
          },
        ],
        growth: [],
      };
    } finally {
      await Promise.all([server.close(), s3.close()]);
    }
  },
};

/** A volume that was never saved: the state is new in each run, the data stays. */
async function saveRun(root: string, space: ReturnType<Server['spec']>, files: number): Promise<Run> {
  await rm(join(root, VOLUME_FOLDERS.state), { recursive: true, force: true });
  const engine = new Engine();
  try {
    const opened = await engine.order({ do: 'open-project', root, space, start: false });
    const done = await engine.orderAll({ do: 'save', full: true });
    const changes = Number(done.result.changes);
    if (changes < files) throw new Error(`a save of ${files} files saved ${changes}`);
    const { cpuSeconds } = opened;
    return {
      ...runOf(done),
      cpuSeconds: (done.cpuSeconds ?? 0) + (cpuSeconds ?? 0),
      requests: (done.requests ?? 0) + (opened.requests ?? 0),
    };
  } finally {
    await engine.close();
  }
}

export const filesPerSecond = (files: number, runs: readonly Run[]): number => files / medianSeconds(runs);
