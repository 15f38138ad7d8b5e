/** Ctrl-C while the engine works. */

export const FIRST = 'Stopping: what is under way is finished first. Ctrl-C again stops at once.';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How often the user asked to stop. */
export type Interrupts = 0 | 1 | 2;

/** Signals so close together are one wish: npm passes on to us what the terminal, or `timeout`, sends to npm and us alike. */
const ONE_WISH_MS = 300;

/**
 * @param told how many times the user has asked to stop
 * @returns what ends it
 */
export function onInterrupts(
  told: (count: number) => void,
  signals: readonly NodeJS.Signals[] = SIGNALS,
): () => void {
  let count = 0;
  let last = Number.NEGATIVE_INFINITY;
  const interrupt = () => {
    const now = performance.now();
    if (now - last < ONE_WISH_MS) return;
    last = now;
    count += 1;
    told(count);
  };
  for (const name of signals) process.on(name, interrupt);
  return () => {
    for (const name of signals) process.off(name, interrupt);
  };
}

/**
 * Runs work that stops on the signal's `abort` events: the first asks to end in order, a second one to stop at once.
 * @param say is told what the first interrupt does
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  say: (text: string) => void,
): Promise<{ readonly outcome: PromiseSettledResult<T>; readonly interrupts: Interrupts }> {
  const controller = new AbortController();
  let interrupts: Interrupts = 0;
  const release = onInterrupts((count) => {
    interrupts = count === 1 ? 1 : 2;
    if (count > 1) return controller.signal.dispatchEvent(new Event('abort'));
    say(FIRST);
    controller.abort();
  });
  try {
    const [outcome] = await Promise.allSettled([work(controller.signal)]);
    return { outcome: outcome as PromiseSettledResult<T>, interrupts };
  } finally {
    release();
  }
}
