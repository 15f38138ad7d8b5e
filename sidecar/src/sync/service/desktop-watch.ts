import { createConnection } from 'node:net';
import type { Clock } from '../../clock.ts';
import { DesktopStillRunningError } from '../sync-errors.ts';

/** The desktop ends its processes within half of this, and then removes its socket. */
const SETTLE_MS = 10_000;

/**
 * Waits until the desktop's VNC socket is gone, which its session removes after the last of its processes. A socket on
 * which nobody answers may be one of a display that crashed while protocols run on, or of a container that is dead; it
 * counts as gone after the time in which a living session would have removed it.
 * @throws DesktopStillRunningError after `waitMs`
 */
export async function desktopGone(
  socket: string,
  waitMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const until = clock.monotonic() + waitMs;
  let silentSince: number | null = null;
  for (;;) {
    const state = await look(socket);
    if (state === 'absent') return;
    silentSince = state === 'answers' ? null : (silentSince ?? clock.monotonic());
    if (silentSince !== null && clock.monotonic() - silentSince >= Math.min(SETTLE_MS, waitMs)) return;
    if (silentSince === null && clock.monotonic() >= until) {
      throw new DesktopStillRunningError(
        `the desktop did not end within ${Math.round(waitMs / 1000)} s. What is there is saved, but it may still write`,
      );
    }
    await clock.sleep(250, signal);
  }
}

function look(path: string): Promise<'answers' | 'silent' | 'absent'> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const end = (state: 'answers' | 'silent' | 'absent'): void => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(2_000, () => end('answers'));
    socket.once('connect', () => end('answers'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') end('absent');
      else end(error.code === 'ECONNREFUSED' ? 'silent' : 'answers');
    });
  });
}
