import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What sweeps of faults begin with. */
export function firstVersion(data: string): void {
  mkdirSync(join(data, 'p/sub'), { recursive: true });
  mkdirSync(join(data, 'p/empty'));
  writeFileSync(join(data, 'p/changed'), 'one');
  writeFileSync(join(data, 'p/removed'), 'one');
  writeFileSync(join(data, 'p/sub/moved'), 'one');
  symlinkSync('one', join(data, 'p/link'));
}

/** Each kind of change to it. */
export function changeAll(data: string): void {
  writeFileSync(join(data, 'p/changed'), 'two two');
  rmSync(join(data, 'p/removed'));
  renameSync(join(data, 'p/sub'), join(data, 'p/sub2'));
  unlinkSync(join(data, 'p/link'));
  symlinkSync('two', join(data, 'p/link'));
  rmSync(join(data, 'p/empty'), { recursive: true });
  writeFileSync(join(data, 'p/new'), 'two');
}
