/** A small generator of numbers that are the same in every run with the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, `below`). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  bytes(length: number): Buffer {
    const result = Buffer.alloc(length);
    for (let at = 0; at < length; at += 1) result[at] = this.below(256);
    return result;
  }

  /** `count` different whole numbers of 1 to `total`, ascending; all of them where there are no more. */
  sample(total: number, count: number): number[] {
    const all = Array.from({ length: total }, (_, index) => index + 1);
    for (let index = 0; index < Math.min(count, total); index += 1) {
      const other = index + this.below(total - index);
      [all[index], all[other]] = [all[other] as number, all[index] as number];
    }
    return all.slice(0, count).sort((a, b) => a - b);
  }
}

/** A positive number from the environment, or what is usual. */
export function fromEnvironment(name: string, usual: number): number {
  const given = Number(process.env[name] ?? usual);
  if (!Number.isInteger(given) || given < 1) throw new Error(`${name} is to be a number of at least 1`);
  return given;
}

/**
 * Seeds of the property tests, the same in every run so that a failure of one is a failure of all. `SYNC_SEED` asks for
 * another: a number, or `random`. fast-check prints seed and path of a failure; `SYNC_PATH` goes straight to it.
 */
export const SEEDS: readonly number[] = seedsFrom(process.env.SYNC_SEED);

export function seedsFrom(given: string | undefined): readonly number[] {
  if (given === undefined) return [1, 20_261_122, -777];
  if (given === 'random') return [Math.floor(Math.random() * 2 ** 31)];
  const seed = Number(given);
  if (given.trim() === '' || !Number.isInteger(seed))
    throw new Error(`SYNC_SEED is "${given}", expected a whole number or "random"`);
  return [seed];
}

/** Parameters of one fast-check run among those of all `SEEDS`, which have `runs` together. */
export function seeded(seed: number, runs: number): { seed: number; numRuns: number; path?: string } {
  const { SYNC_PATH: path } = process.env;
  return { seed, numRuns: Math.ceil(runs / SEEDS.length), ...(path === undefined ? {} : { path }) };
}
