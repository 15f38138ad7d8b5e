import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import { LeaseLostError } from '../save/lease.ts';
import type { StatusBoard } from './status-board.ts';
import type { VolumeSessions } from './volume-sessions.ts';

const BEFORE_THE_FIRST_MS = 1_000;

/** Keeps the lease alive until the signal; a heartbeat that fails is tried again at the next beat. */
export async function keepLease(
  {
    sessions,
    board,
    clock,
    log,
  }: { sessions: VolumeSessions; board: StatusBoard; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(sessions.project?.heartbeatMs ?? BEFORE_THE_FIRST_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    await sessions.project?.heartbeat().catch((error: unknown) => {
      if (error instanceof LeaseLostError) board.raise(error, 'project');
      log.warn({ error: (error as Error).message }, 'the heartbeat in the project space failed');
    });
  }
}
