import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from './random.ts';

/** Trees of a life: how they are made and changed, and everything about them that has to come back. */

/** A path → kind, mode, time in microseconds (Node sets no finer ones), and the hash of its bytes or its target; names of one inode carry a common mark. */
export type Snapshot = Map<string, string>;

export function snapshot(folder: string): Snapshot {
  const result: Snapshot = new Map();
  const firstName = new Map<bigint, string>();
  const walk = (directory: Buffer, prefix: string): void => {
    for (const raw of readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const path = prefix + raw.toString('latin1');
      const at = Buffer.concat([directory, Buffer.from('/'), raw]);
      const found = lstatSync(at, { bigint: true });
      const mode = (Number(found.mode) & 0o7777).toString(8);
      const time = found.mtimeNs / 1_000n;
      if (found.isDirectory()) {
        result.set(`${path}/`, `directory ${mode} ${time}`);
        walk(at, `${path}/`);
      } else if (found.isSymbolicLink()) result.set(path, `→ ${readlinkSync(at)} ${time}`);
      else {
        const hash = createHash('sha256').update(readFileSync(at)).digest('hex').slice(0, 16);
        const mark = found.nlink > 1n ? ` = ${firstName.get(found.ino) ?? path}` : '';
        if (!firstName.has(found.ino)) firstName.set(found.ino, path);
        result.set(path, `file ${mode} ${time} ${found.size} ${hash}${mark}`);
      }
    }
  };
  walk(Buffer.from(folder), '');
  return result;
}

/** What is only in one of both, or not equal: path → both sides. */
export function differences(one: Snapshot, two: Snapshot): Record<string, [string, string]> {
  const paths = [...new Set([...one.keys(), ...two.keys()])].sort();
  return Object.fromEntries(
    paths
      .filter((path) => one.get(path) !== two.get(path))
      .map((path) => [path, [one.get(path) ?? 'absent', two.get(path) ?? 'absent']]),
  );
}

/** Raw data as a microscope leaves it. */
export function makeSource(folder: string, random: Random): void {
  for (const session of ['day 1', 'day 2']) {
    mkdirSync(join(folder, session, 'empty'), { recursive: true });
    for (let index = 0; index < 5; index += 1)
      writeFileSync(join(folder, session, `movie ${index}.tiff`), random.bytes(1 + random.below(20_000)));
  }
  writeFileSync(join(folder, 'gain é.mrc'), random.bytes(300_000));
  writeFileSync(join(folder, 'nothing'), '');
  symlinkSync('day 1/movie 0.tiff', join(folder, 'first.tiff'));
}

/** What another tool has put into the project space before the instance exists. */
export function makeTheirs(folder: string, random: Random): void {
  mkdirSync(join(folder, 'theirs/deep/empty'), { recursive: true });
  for (const name of ['changed', 'both', 'kept', 'deep/kept'])
    writeFileSync(join(folder, 'theirs', name), random.bytes(100 + random.below(900)));
  symlinkSync('kept', join(folder, 'theirs/link'));
}

const NAMES = ['mic', 'run 1', 'größe', '100% #?&', 'a+b', "it's", 'x'.repeat(120), 'a@b'];

/** A user at work in `data`: everything that programs do with files, at random. Leaves `theirs` and databases alone. */
export class User {
  readonly #data: string;
  readonly #random: Random;
  #made = 0;

  constructor(data: string, random: Random) {
    this.#data = data;
    this.#random = random;
  }

  /** The first session: some of everything. */
  begin(): void {
    for (const folder of ['p/Runs/extra', 'p/Tmp', 'p/empty'])
      mkdirSync(this.#at(folder), { recursive: true });
    for (let index = 0; index < 12; index += 1) this.#make();
    writeFileSync(this.#at('p/large.mrc'), this.#random.bytes(1_200_000));
    const odd = Buffer.from([0x66, 0xff, 0x0a, 0x67]);
    writeFileSync(Buffer.concat([Buffer.from(this.#at('p/')), odd]), 'odd');
    symlinkSync('/mnt/vol-dataset/gain.mrc', this.#at('p/Runs/absolute'));
    symlinkSync('nowhere', this.#at('p/dangling'));
  }

  work(): void {
    const { steps } = this;
    for (let left = 6 + this.#random.below(8); left > 0; left -= 1)
      (steps[this.#random.below(steps.length)] as () => void)();
  }

  readonly steps: readonly (() => void)[] = [
    () => this.#make(),
    () => this.#make(),
    () => this.#onFile((at) => appendFileSync(at, this.#random.bytes(50))),
    () => this.#onFile((at) => this.#overwrite(at)),
    () => this.#onFile((at) => this.#replace(at)),
    () => this.#onFile((at) => unlinkSync(at)),
    () => this.#onFile((at) => renameSync(at, this.#at(this.#freeName('p/Runs')))),
    () => this.#onFile((at) => chmodSync(at, [0o600, 0o644, 0o755][this.#random.below(3)] as number)),
    () => this.#onFile((at) => utimesSync(at, 1_600_000_000, 1_500_000_000 + this.#random.below(1e8))),
    () => this.#onFile((at) => linkSync(at, this.#at(this.#freeName('p/Tmp')))),
    () => symlinkSync(`target ${this.#random.below(9)}`, this.#at(this.#freeName('p/Runs'))),
    () => mkdirSync(this.#at(this.#freeName('p'))),
    () => this.#moveFolder(),
    () => this.#removeFolder(),
  ];

  #at(path: string): string {
    return join(this.#data, path);
  }

  #freeName(folder: string): string {
    mkdirSync(this.#at(folder), { recursive: true });
    this.#made += 1;
    return `${folder}/${NAMES[this.#random.below(NAMES.length)]} ${this.#made}`;
  }

  #make(): void {
    const folder = ['p', 'p/Runs', 'p/Runs/extra', 'p/Tmp', `p/Job ${this.#random.below(4)}`];
    const path = this.#freeName(folder[this.#random.below(folder.length)] as string);
    const size = [0, 1, 3_000, 20_000][this.#random.below(4)] as number;
    writeFileSync(this.#at(path), this.#random.bytes(size));
  }

  /** In place and of the same size: only its time tells. */
  #overwrite(at: string): void {
    const { size } = lstatSync(at);
    if (size === 0) return;
    const file = openSync(at, 'r+');
    writeSync(file, this.#random.bytes(1), 0, 1, this.#random.below(size));
    closeSync(file);
  }

  #replace(at: string): void {
    writeFileSync(`${at}.new`, this.#random.bytes(1 + this.#random.below(4_000)));
    renameSync(`${at}.new`, at);
  }

  #onFile(act: (at: string) => void): void {
    const files = this.#entries((found) => found.isFile());
    if (files.length > 0) act(files[this.#random.below(files.length)] as string);
  }

  #entries(wanted: (found: ReturnType<typeof lstatSync> & object) => boolean): string[] {
    const below = (folder: string): string[] =>
      readdirSync(folder).flatMap((name) => {
        const at = join(folder, name);
        const found = lstatSync(at, { throwIfNoEntry: false });
        // The one that is not text has another name as a string.
        if (found === undefined || name.endsWith('.sqlite')) return [];
        return [...(wanted(found) ? [at] : []), ...(found.isDirectory() ? below(at) : [])];
      });
    return below(this.#at('p')).sort();
  }

  #folder(): string | undefined {
    const folders = this.#entries((found) => found.isDirectory()).filter((at) => / \d+$/.test(at));
    return folders[this.#random.below(Math.max(1, folders.length))];
  }

  #moveFolder(): void {
    const from = this.#folder();
    const to = this.#at(this.#freeName('p/Runs'));
    if (from !== undefined && !`${dirname(to)}/`.startsWith(`${from}/`)) renameSync(from, to);
  }

  #removeFolder(): void {
    const folder = this.#folder();
    if (folder !== undefined && this.#random.chance(0.5)) rmSync(folder, { recursive: true });
  }
}
