/** Exit codes of the `sync` command line. A code that is not listed here means failure. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Some files could not be saved; the rest was. Or none, where the folder of all of them may not be read. */
  partial: 3,
  spaceMissing: 10,
  leaseHeld: 11,
  notPermitted: 12,
  /** A guard stopped it, e.g. too many deletions at once. */
  guarded: 13,
  /** `sync` is not running or its socket does not answer. */
  unreachable: 14,
  /** The space holds something otherwise than it was saved. */
  damaged: 15,
} as const;
