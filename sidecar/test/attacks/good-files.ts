import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { type Instance, IS_ROOT, snapshot } from './harness.ts';

/** What must come through whatever befalls the odd one: its neighbours before and after it, in its folder and others. */

/** All that is odd, or damaged, has this in its name; nothing else has. */
export const ODD = 'odd';
const isGood = (name: string) => !name.toLowerCase().includes(ODD);

/** A project as the desktop makes it; `p` is where the odd one comes to lie. */
export function makeGood(data: string): void {
  for (const folder of ['p/a', 'p/z/deep', 'p/empty', 'q'])
    mkdirSync(join(data, folder), { recursive: true });
  for (const path of ['p/before', 'p/through', 'p/a/inner', 'p/z/deep/last', 'q/other', 'top'])
    writeFileSync(join(data, path), `first ${path}`);
  writeFileSync(join(data, 'p/large'), Buffer.alloc(1_500_000, 'large '));
  chmodSync(join(data, 'p/before'), 0o640);
  utimesSync(join(data, 'p/before'), 1_500_000_000, 1_500_000_000.25);
  symlinkSync('/mnt/vol-dataset/mic.mrc', join(data, 'p/link'));
  handOver(data);
}

/** What happens beside the odd one, between two saves. */
export function changeGood(data: string): void {
  for (const path of ['p/before', 'p/z/deep/last', 'top']) appendFileSync(join(data, path), ' and second');
  for (const path of ['p/aa new', 'p/zz new', 'q/new']) writeFileSync(join(data, path), `new ${path}`);
  for (const path of ['p/aa new', 'p/zz new', 'q/new']) handOver(join(data, path));
}

export function handOver(at: string): void {
  if (IS_ROOT) spawnSync('chown', ['-hR', '1000:1000', at]);
}

export function goodOf(folder: string): [string, string][] {
  const all = snapshot(folder, isGood);
  const inP = snapshot(join(folder, 'p'), isGood, 'p/');
  return [...all].filter(([path]) => !path.startsWith('p/') || path === 'p/').concat([...inP]);
}

export function oddOf(folder: string): Map<string, string> {
  return snapshot(join(folder, 'p'), (name) => !isGood(name));
}

export const SOURCE_FILES = ['a/mic 1.mrc', 'a/mic 2.mrc', 'n/mic 3.mrc', 'z/mic 4.mrc', 'mic 0.mrc'];

/** Data of a microscope. */
export async function fillSource(space: Space): Promise<void> {
  for (const folder of ['a', 'n', 'z']) await space.makeDirectory(folder);
  for (const path of SOURCE_FILES) await space.write(path, contentOf(`movie ${path}`.repeat(50)));
}

/** All of the source that is not odd is on the source volume. */
export function expectSource(instance: Instance): void {
  const found = snapshot(instance.sourceData, isGood);
  for (const path of SOURCE_FILES) expect(found.get(path), `${path} of the source`).toBeDefined();
}
