import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePackages } from '../../local/apt.ts';
import { assertDiskRoom, machineOf } from '../lib/machine.ts';
import { ensureRclone } from '../lib/rclone.ts';
import { type CaseResult, isMet, minuteNow, type Scale } from '../lib/results.ts';
import type { Teller } from '../lib/teller.ts';
import { autosaveCase } from './autosave-case.ts';
import type { Case } from './case.ts';
import { Engine } from './engine.ts';
import { farLargeCase, farSmallCase, stageInLargeCase } from './large-cases.ts';
import { memoryCase } from './memory-case.ts';
import { oddFilesCase } from './odd-files-case.ts';
import { THREAD_CASES } from './thread-cases.ts';
import { saveSmallCase, stageInSmallCase } from './transfer-cases.ts';

export const CASES: readonly Case[] = [
  stageInSmallCase,
  saveSmallCase,
  stageInLargeCase,
  farSmallCase,
  farLargeCase,
  autosaveCase,
  memoryCase,
  oddFilesCase,
];

export interface RunOptions {
  /** @default CASES */
  readonly cases?: readonly Case[];
  readonly scale: Scale;
  /** Names of cases; empty: all. */
  readonly only: readonly string[];
  readonly repeats: number;
  /** Data is made in a new folder below it, which is removed. */
  readonly directory: string;
  readonly teller: Teller;
  /** Called after each case. */
  onResult(result: CaseResult): Promise<void>;
}

/** @throws Error for an unknown case, for a disk that is too small, and where anybody's work was wrong */
export async function runSync(options: RunOptions): Promise<void> {
  const { cases: all = CASES, scale, only, repeats, teller } = options;
  const known = all.map(({ name }) => name);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`there is no case "${unknown.join('", "')}"; there are: ${known.join(', ')}`);
  const cases = all.filter(({ name }) => only.length === 0 || only.includes(name));
  await mkdir(options.directory, { recursive: true });
  const needed = cases.reduce((sum, each) => sum + each.diskBytes(scale), 0);
  assertDiskRoom(options.directory, needed, cases.map(({ title }) => title).join(', '));
  await ensurePackages(['rsync', 'curl'], teller.step);
  const root = await mkdtemp(join(options.directory, 'scipion-bench-'));
  try {
    await Engine.build(join(root, 'engine'));
    if (all === THREAD_CASES) await Engine.build(join(root, 'engine-with-pool'), 'pool');
    for (const each of cases) {
      teller.result(`${each.title} (${each.name})`);
      const directory = join(root, each.name);
      await mkdir(directory);
      const bench = { scale, directory, teller, repeats, rclone: () => ensureRclone(teller) };
      const measured = await each.run(bench);
      const result: CaseResult = {
        name: each.name,
        title: each.title,
        scale,
        measuredAt: minuteNow(),
        machine: machineOf(options.directory),
        ...measured,
      };
      for (const target of result.targets) {
        const { text, measured: found, limit, sense, unit } = target;
        teller.result(
          `  ${isMet(target) ? 'met   ' : 'MISSED'} ${text}: ${Number(found.toPrecision(3))} ${unit} (${sense} ${limit})`,
        );
      }
      await options.onResult(result);
    }
  } finally {
    // Not earlier: removals slow down what comes after them.
    await rm(root, { recursive: true, force: true });
  }
}
