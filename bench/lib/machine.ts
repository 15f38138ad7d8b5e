import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';

/** What can be told of the machine without naming it. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** File system and kind of device, e.g. `ext4 on a virtual disk`. */
  readonly disk: string;
  readonly node: string;
}

export function machineOf(directory: string): Machine {
  const model = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  return {
    cores: availableParallelism(),
    processor: model.trim(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `Linux ${release().split('.').slice(0, 2).join('.')}`,
    disk: diskOf(directory),
    node: process.version,
  };
}

function diskOf(directory: string): string {
  const out = execFileSync('df', ['--output=fstype,source', directory], { encoding: 'utf8' });
  const [type = 'unknown', source = ''] = (out.trim().split('\n')[1] ?? '').split(/\s+/);
  const device = /^\/dev\/(vd|xvd)/.test(source)
    ? 'a virtual disk'
    : /^\/dev\/nvme/.test(source)
      ? 'an NVMe disk'
      : /^\/dev\/sd/.test(source)
        ? 'a disk'
        : 'no disk of its own';
  return `${type} on ${device}`;
}

/** @throws Error with both numbers where the data of a case would not fit. */
export function assertDiskRoom(directory: string, neededBytes: number, what: string): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  const reserve = 2 ** 30;
  if (free >= neededBytes + reserve) return;
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  throw new Error(
    `${what} needs ${gib(neededBytes)} GiB (and 1 GiB to spare) below ${directory}; ${gib(free)} GiB are free. ` +
      'Give another place with --directory, or a smaller run with --scale small.',
  );
}
