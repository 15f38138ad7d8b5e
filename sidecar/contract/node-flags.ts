/**
 * How Node is started for the engine, in the image and wherever the engine is measured.
 *
 * Bytes from the network come in small pieces of memory that only a collection of young objects gives back. With V8's
 * own limit so many of them pile up that it collects old objects too, again and again: a large transfer then takes half
 * as much of the processor again, and 100 MiB more of memory.
 */
export const NODE_FLAGS = [
  // Node calls its SQLite experimental at every start; that is known and no news in a log.
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=2',
] as const;

/** In the gateway: what strangers leave behind is collected before it is more than what is in use. */
export const GATEWAY_NODE_FLAGS = [...NODE_FLAGS, '--max-old-space-size=96'] as const;

/**
 * The broker of jobs, which waits most of its life: lists of jobs are read in pages, and little of them is kept. Code that
 * is seldom run is not compiled again to be faster, which would cost more memory than all jobs.
 */
export const JOBS_NODE_FLAGS = [
  ...NODE_FLAGS,
  '--max-semi-space-size=1',
  '--max-old-space-size=40',
  '--optimize-for-size',
  '--no-opt',
  '--single-threaded-gc',
] as const;
