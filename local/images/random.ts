/** Repeatable random numbers: the same seed gives the same data on every machine. Not for secrets. */
export interface Random {
  /** 0 ≤ value < 1 */
  uniform(): number;
  /** Mean 0, standard deviation 1. */
  normal(): number;
  /** Counts of rare events with the given mean (small: time grows with it). */
  poisson(mean: number): number;
}

/** Mulberry32 by Tommy Ettinger (public domain): 32 bits of state, good enough for pictures of noise. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  let spare: number | undefined;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // Box-Muller; 1 - uniform() is never 0.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const poisson = (mean: number) => {
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = uniform(); product > limit; product *= uniform()) count += 1;
    return count;
  };
  return { uniform, normal, poisson };
}
