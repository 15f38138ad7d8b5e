import { execFile } from 'node:child_process';
import { loadavg } from 'node:os';
import { promisify } from 'node:util';
import type { CaseResult, Scale } from '../lib/results.ts';
import type { Run, Summary } from '../lib/statistics.ts';
import { medianSeconds, summarise } from '../lib/statistics.ts';
import type { Teller } from '../lib/teller.ts';

/** What every case gets. */
export interface Workbench {
  readonly scale: Scale;
  /** An empty folder; removed by the caller afterwards. */
  readonly directory: string;
  readonly teller: Teller;
  /** Timed runs of each competitor. */
  readonly repeats: number;
  /** The program; built at the first call. */
  rclone(): Promise<string>;
}

export interface Case {
  readonly name: string;
  readonly title: string;
  /** Disk space that its data takes at the most. */
  diskBytes(scale: Scale): number;
  run(bench: Workbench): Promise<Omit<CaseResult, 'name' | 'title' | 'scale' | 'measuredAt' | 'machine'>>;
}

const DIVISORS = { tiny: 5_000, small: 50, medium: 10, full: 1 } as const satisfies Record<Scale, number>;

/** A number of the full scale at this scale, at least `least`. */
export const scaled = (full: number, scale: Scale, least = 1): number =>
  Math.max(least, Math.round(full / DIVISORS[scale]));

/** Names a number for people: 20,000 or 8 KiB. */
export const counted = (value: number): string => value.toLocaleString('en-US');

/** What waits to be written by one run must not be paid for by the next. */
export async function settle(directory: string): Promise<void> {
  await promisify(execFile)('sync', ['-f', directory]);
}

/**
 * Runs the competitors in turn, `repeats` times, and each time in the other order, so that nobody always profits from
 * what the one before left in the caches.
 */
export async function alternate(
  bench: Workbench,
  competitors: Readonly<Record<string, (round: number) => Promise<Run>>>,
): Promise<Record<string, Run[]>> {
  const runs: Record<string, Run[]> = Object.fromEntries(Object.keys(competitors).map((name) => [name, []]));
  for (let round = 0; round < bench.repeats; round += 1) {
    const entries = Object.entries(competitors);
    for (const [name, compete] of round % 2 === 0 ? entries : entries.reverse()) {
      bench.teller.step(`round ${round + 1} of ${bench.repeats}: ${name}`);
      const run = await compete(round);
      bench.teller.result(
        `  ${name}: ${run.seconds.toFixed(2)} s, load ${(loadavg()[0] as number).toFixed(1)}`,
      );
      (runs[name] as Run[]).push(run);
      await settle(bench.directory);
    }
  }
  return runs;
}

/** Time of `ours` ÷ time of `theirs`, from medians. */
export const timeRatio = (ours: readonly Run[], theirs: readonly Run[]): number =>
  medianSeconds(ours) / medianSeconds(theirs);

export const secondsOf = (runs: readonly Run[]): Summary => summarise(runs.map(({ seconds }) => seconds));

/** @throws Error where a copy is not what it should be: the time of wrong work is worth nothing. */
export function assertTotals(
  who: string,
  found: { files: number; bytes: number },
  expected: { files: number; bytes: number },
): void {
  if (found.files === expected.files && found.bytes === expected.bytes) return;
  throw new Error(
    `${who} left ${found.files} files with ${found.bytes} bytes; expected ${expected.files} with ${expected.bytes}`,
  );
}
