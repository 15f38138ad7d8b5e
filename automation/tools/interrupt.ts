/** Ctrl-C while the engine works. */

export const FIRST = 'Stopping: what is under way is finished first. Ctrl-C again stops at once.';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How often the user asked to stop. */
export type Interrupts = 0 | 1 | 2;

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
  const interrupt = () => {
    if (interrupts === 0) {
      say(FIRST);
      controller.abort();
    } else controller.signal.dispatchEvent(new Event('abort'));
    interrupts = interrupts === 0 ? 1 : 2;
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    const [outcome] = await Promise.allSettled([work(controller.signal)]);
    return { outcome: outcome as PromiseSettledResult<T>, interrupts };
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt);
  }
}
