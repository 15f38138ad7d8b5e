import { createConnection } from 'node:net';
import type { Clock } from './clock.ts';
import { DesktopStillRunningError } from './sync-errors.ts';

/** Waits until nobody answers on the desktop's VNC socket. @throws DesktopStillRunningError after `waitMs` */
export async function desktopGone(
  socket: string,
  waitMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const until = clock.now() + waitMs;
  while (await answers(socket)) {
    if (clock.now() >= until) {
      throw new DesktopStillRunningError(
        `the desktop did not end within ${Math.round(waitMs / 1000)} s. What is there is saved, but it may still write`,
      );
    }
    await clock.sleep(250, signal);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(2_000, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
