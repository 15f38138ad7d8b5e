import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scale } from '../lib/results.ts';
import { alternate, type Case, counted, timeRatio, type Workbench } from './case.ts';
import type { EngineVariant } from './engine.ts';
import {
  farShape,
  LARGE_FILES,
  largeBytes,
  ROUND_TRIP_MS,
  STREAM_BYTES_PER_SECOND,
  sizeText,
} from './large-cases.ts';
import { Server } from './server.ts';
import { type LinkOptions, slowLink } from './slow-link.ts';
import { describe, freshTarget, smallFiles, stageInRun } from './transfer-cases.ts';
import { diskBytes, makeLargeFiles, makeTree, type TreeShape } from './trees.ts';

/**
 * What the thread of the connections gives: the engine as it is, and the same engine whose requests a plain undici.Pool
 * makes beside everything else. docs/decisions/0009-a-thread-for-http.md says what follows from it.
 */

/** A thread costs about 900 lines: it stays where it gives this much for two of the four. */
const WORTH = 1.2;

interface Load {
  readonly name: string;
  readonly title: string;
  readonly text: (scale: Scale) => string;
  readonly diskBytes: (scale: Scale) => number;
  /** Makes what is copied. */
  readonly make: (source: string, scale: Scale) => Promise<{ files: number; bytes: number }>;
  /** Between the engine and the server; absent: nothing. */
  readonly link?: Omit<LinkOptions, 'port'>;
}

async function tree(source: string, shape: TreeShape) {
  await makeTree(source, shape);
  return { files: shape.files, bytes: shape.files * shape.bytesPerFile };
}

async function large(source: string, files: number, bytes: number) {
  await makeLargeFiles(source, files, bytes);
  return { files, bytes: files * bytes };
}

const farBytes = (scale: Scale) => Math.round(largeBytes(scale) / 2);
const FAR = `through a link that adds ${ROUND_TRIP_MS} ms to each round trip`;

const LOADS: readonly Load[] = [
  {
    name: 'thread-small',
    title: 'The HTTP thread: many small files',
    text: (scale) => describe(smallFiles({ scale })),
    diskBytes: (scale) => 10 * diskBytes(smallFiles({ scale })),
    make: (source, scale) => tree(source, smallFiles({ scale })),
  },
  {
    name: 'thread-large',
    title: 'The HTTP thread: large files',
    text: (scale) => `${LARGE_FILES} files of ${sizeText(largeBytes(scale))}`,
    diskBytes: (scale) => 3.1 * LARGE_FILES * largeBytes(scale),
    make: (source, scale) => large(source, LARGE_FILES, largeBytes(scale)),
  },
  {
    name: 'thread-far-small',
    title: 'The HTTP thread: small files far away',
    text: (scale) => `${counted(farShape(scale).files)} files of 8 KiB ${FAR}`,
    diskBytes: (scale) => 10 * diskBytes(farShape(scale)),
    make: (source, scale) => tree(source, farShape(scale)),
    link: { roundTripMs: ROUND_TRIP_MS },
  },
  {
    name: 'thread-far-large',
    title: 'The HTTP thread: a large file far away',
    text: (scale) =>
      `One file of ${sizeText(farBytes(scale))} ${FAR} and lets each stream have ${STREAM_BYTES_PER_SECOND / 1e6} MB/s`,
    diskBytes: (scale) => 3.1 * farBytes(scale),
    make: (source, scale) => large(source, 1, farBytes(scale)),
    link: { roundTripMs: ROUND_TRIP_MS, bytesPerSecond: STREAM_BYTES_PER_SECOND },
  },
];

export const THREAD_CASES: readonly Case[] = LOADS.map(({ name, title, text, diskBytes, make, link }) => ({
  name,
  title,
  diskBytes,
  async run(bench: Workbench) {
    const source = join(bench.directory, 'source');
    const expected = await make(source, bench.scale);
    const server = await Server.start(join(bench.directory, 'onedata'));
    const way = link === undefined ? undefined : await slowLink({ port: server.started.port, ...link });
    try {
      await server.addSpace('source', source);
      const space = server.spec('source', way?.port);
      const run = (variant: EngineVariant) => async () => {
        const target = freshTarget(bench);
        const done = await stageInRun(target, space, expected, variant);
        // Small files stay: what comes after a removal of many is slower.
        if (expected.files <= LARGE_FILES) await rm(target, { recursive: true, force: true });
        return done;
      };
      const { thread = [], pool = [] } = await alternate(bench, {
        thread: run('as it is'),
        pool: run('pool'),
      });
      return {
        setup: `${text(bench.scale)}, over REST and TLS from the Onedata emulator to an empty volume. The same engine, with its connections in a thread of their own and with a plain undici.Pool in the thread of everything else.`,
        series: [
          { name: 'thread', label: 'connections in a thread', isOurs: true, runs: thread },
          { name: 'pool', label: 'undici.Pool, no thread', isOurs: false, runs: pool },
        ],
        targets: [
          {
            text: 'rate against the plain pool',
            measured: 1 / timeRatio(thread, pool),
            limit: WORTH,
            sense: 'at least' as const,
            unit: '×',
          },
        ],
        growth: [],
      };
    } finally {
      await Promise.all([way?.close(), server.close()]);
    }
  },
}));
