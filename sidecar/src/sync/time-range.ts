/** Pure: modification times as 64-bit numbers. A disk holds more years than those have nanoseconds. */

const SECOND = 1_000_000_000n;
/** Up to here (the years 1684 to 2255) a time is kept to the nanosecond, beyond to the second. */
const EXACT = 9_000_000_000n * SECOND;
/** More than any file system holds. */
const MAX_SECONDS = 1_000_000_000_000n;

/** A time as it can be kept: whole seconds where it is so far away that nanoseconds do not fit. */
export function keepable(ns: bigint): bigint {
  if (ns <= EXACT && ns >= -EXACT) return ns;
  const seconds = ns / SECOND;
  const kept = seconds > MAX_SECONDS ? MAX_SECONDS : seconds < -MAX_SECONDS ? -MAX_SECONDS : seconds;
  return kept * SECOND;
}

/** In 64 bits; what is far away is a number just above the exact ones, which older versions read as the year 2255. */
export function packTime(ns: bigint): bigint {
  const kept = keepable(ns);
  if (kept <= EXACT && kept >= -EXACT) return kept;
  return kept > 0n ? EXACT + kept / SECOND : -EXACT + kept / SECOND;
}

export function unpackTime(packed: bigint): bigint {
  const above = packed > 0n ? packed - EXACT : -packed - EXACT;
  // An older version kept the years up to 2262 to the nanosecond.
  if (above <= 0n || above > MAX_SECONDS) return packed;
  return (packed > 0n ? above : -above) * SECOND;
}
