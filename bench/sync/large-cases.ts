import { mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, measure, measureTogether } from '../lib/measure.ts';
import { rcloneCopy, serveWithRclone } from '../lib/rclone.ts';
import type { Scale } from '../lib/results.ts';
import { medianSeconds, type Run } from '../lib/statistics.ts';
import { alternate, assertTotals, type Case, counted, scaled, timeRatio } from './case.ts';
import { Server } from './server.ts';
import { slowLink } from './slow-link.ts';
import { CONNECTIONS, freshTarget, peerRun, stageInRun } from './transfer-cases.ts';
import { diskBytes, makeLargeFiles, makeTree, type TreeShape, totalsOf } from './trees.ts';

const GIBIBYTE = 2 ** 30;
export const LARGE_FILES = 4;
export const ROUND_TRIP_MS = 50;
export const STREAM_BYTES_PER_SECOND = 20e6;

export const largeBytes = (scale: Scale): number => scaled(GIBIBYTE, scale);
export const sizeText = (bytes: number): string =>
  bytes >= GIBIBYTE ? `${bytes / GIBIBYTE} GiB` : `${counted(Math.round(bytes / 2 ** 20))} MiB`;

/** One curl for each file, straight to the port, as the host name is one of the emulator's own. */
function curls(
  server: Server,
  port: number,
  files: readonly { name: string; id: string }[],
  target: string,
): Command[] {
  const { host, authorityFile, tokenFile } = server.started;
  const name = host.split(':')[0];
  return files.map((file) => ({
    file: 'curl',
    arguments: ['-sSf', '-K', '-'],
    // The token goes over the standard input: arguments can be read by everybody.
    input: [
      `url = "https://${name}:${port}/api/v3/oneprovider/data/${file.id}/content"`,
      `resolve = "${name}:${port}:127.0.0.1"`,
      `cacert = "${authorityFile}"`,
      `header = "X-Auth-Token: ${readFileSync(tokenFile, 'utf8')}"`,
      `output = "${join(target, file.name)}"`,
    ].join('\n'),
  }));
}

async function curlRun(
  server: Server,
  port: number,
  target: string,
  expected: { files: number; bytes: number },
): Promise<Run> {
  mkdirSync(target, { recursive: true });
  try {
    const run = await measureTogether(curls(server, port, await server.files('source'), target));
    assertTotals('curl', totalsOf(target), expected);
    return run;
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

export const stageInLargeCase: Case = {
  name: 'stage-in-large',
  title: 'Stage-in of large files',
  diskBytes: (scale) => 3.1 * LARGE_FILES * largeBytes(scale),
  async run(bench) {
    const bytes = largeBytes(bench.scale);
    const source = join(bench.directory, 'source');
    bench.teller.step('making large files');
    await makeLargeFiles(source, LARGE_FILES, bytes);
    const expected = { files: LARGE_FILES, bytes: LARGE_FILES * bytes };
    const server = await Server.start(join(bench.directory, 'onedata'));
    try {
      await server.addSpace('source', source);
      const target = join(bench.directory, 'target');
      const clear = () => rm(target, { recursive: true, force: true });
      const {
        ours = [],
        curl = [],
        disk = [],
      } = await alternate(bench, {
        ours: () => stageInRun(target, server.spec('source'), expected).finally(clear),
        curl: () => curlRun(server, server.started.port, target, expected),
        disk: async () => {
          const run = await measure({ file: 'cp', arguments: ['-a', source, target] });
          await clear();
          return run;
        },
      });
      return {
        setup: `${LARGE_FILES} files of ${sizeText(bytes)} over REST and TLS from the Onedata emulator, ${LARGE_FILES} curl at one time. What ours writes is on the disk at the end, and can be continued after a crash at any time.`,
        series: [
          { name: 'ours', label: 'ours', isOurs: true, runs: ours },
          { name: 'curl', label: `${LARGE_FILES} × curl, same server`, isOurs: false, runs: curl },
          { name: 'disk', label: 'cp (limit)', isOurs: false, runs: disk },
        ],
        targets: [
          {
            text: `rate against ${LARGE_FILES} parallel curl`,
            measured: 1 / timeRatio(ours, curl),
            limit: 0.9,
            sense: 'at least',
            unit: '×',
          },
        ],
        growth: [],
      };
    } finally {
      await server.close();
    }
  },
};

export const farShape = (scale: Scale): TreeShape => {
  const files = scaled(2_000, scale, 4);
  return { files, directories: Math.max(1, Math.round(files / 200)), bytesPerFile: 8192 };
};

export const farSmallCase: Case = {
  name: 'far-small',
  title: `Stage-in of small files over ${ROUND_TRIP_MS} ms`,
  diskBytes: (scale) => 10 * diskBytes(farShape(scale)),
  async run(bench) {
    const shape = farShape(bench.scale);
    const source = join(bench.directory, 'source');
    await makeTree(source, shape);
    const expected = { files: shape.files, bytes: shape.files * shape.bytesPerFile };
    const server = await Server.start(join(bench.directory, 'onedata'));
    const program = await bench.rclone();
    const http = await serveWithRclone({ program, kind: 'http', directory: source });
    const links = await Promise.all(
      [server.started.port, Number(new URL(http.url).port)].map((port) =>
        slowLink({ port, roundTripMs: ROUND_TRIP_MS }),
      ),
    );
    const [onedata, plain] = links as [(typeof links)[0], (typeof links)[0]];
    try {
      await server.addSpace('source', source);
      const { ours = [], rclone = [] } = await alternate(bench, {
        ours: () => stageInRun(freshTarget(bench), server.spec('source', onedata.port), expected),
        rclone: () =>
          peerRun(freshTarget(bench), expected, (target) =>
            measure(
              rcloneCopy(program, ':http:', target, CONNECTIONS, [
                `--http-url=http://127.0.0.1:${plain.port}`,
              ]),
            ),
          ),
      });
      const best = CONNECTIONS / (ROUND_TRIP_MS / 1000);
      return {
        setup: `${counted(shape.files)} files of 8 KiB in ${shape.directories} directories through a link that adds ${ROUND_TRIP_MS} ms to each round trip; at least ${CONNECTIONS} connections.`,
        series: [
          { name: 'ours', label: 'ours, REST over TLS', isOurs: true, runs: ours },
          { name: 'rclone', label: 'rclone, HTTP', isOurs: false, runs: rclone },
        ],
        targets: [
          {
            text: `files a second against ${CONNECTIONS} connections ÷ round trip (${best})`,
            measured: shape.files / medianSeconds(ours) / best,
            limit: 0.8,
            sense: 'at least',
            unit: '×',
          },
        ],
        growth: [],
      };
    } finally {
      await Promise.all([...links.map((link) => link.close()), server.close(), http.close()]);
    }
  },
};

export const farLargeCase: Case = {
  name: 'far-large',
  title: 'Stage-in of one large file over a long line',
  diskBytes: (scale) => 3.1 * (largeBytes(scale) / 2),
  async run(bench) {
    const bytes = Math.round(largeBytes(bench.scale) / 2);
    const source = join(bench.directory, 'source');
    await makeLargeFiles(source, 1, bytes);
    const expected = { files: 1, bytes };
    const server = await Server.start(join(bench.directory, 'onedata'));
    const link = await slowLink({
      port: server.started.port,
      roundTripMs: ROUND_TRIP_MS,
      bytesPerSecond: STREAM_BYTES_PER_SECOND,
    });
    try {
      await server.addSpace('source', source);
      const target = join(bench.directory, 'target');
      const clear = () => rm(target, { recursive: true, force: true });
      const { ours = [], curl = [] } = await alternate(bench, {
        ours: () => stageInRun(target, server.spec('source', link.port), expected).finally(clear),
        curl: () => curlRun(server, link.port, target, expected),
      });
      return {
        setup: `One file of ${sizeText(bytes)} through a link that adds ${ROUND_TRIP_MS} ms to each round trip and lets each stream have ${STREAM_BYTES_PER_SECOND / 1e6} MB/s.`,
        series: [
          { name: 'ours', label: 'ours', isOurs: true, runs: ours },
          { name: 'curl', label: 'curl, one stream', isOurs: false, runs: curl },
        ],
        targets: [
          {
            text: 'rate against a single stream',
            measured: 1 / timeRatio(ours, curl),
            limit: 3,
            sense: 'at least',
            unit: '×',
          },
        ],
        growth: [],
      };
    } finally {
      await Promise.all([link.close(), server.close()]);
    }
  },
};
