import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { Verification } from '../restore/verify.ts';
import type { LiveSettings } from './live-settings.ts';
import type { Runner } from './runner.ts';
import type { StatusBoard } from './status-board.ts';

const DAY_MS = 24 * 3_600_000;
const DEFAULT_DAYS = 7;
const DEFAULT_BYTES_PER_SECOND = 4 << 20;
/** Looks whether a check is due; the first of them leaves a start its time. */
const LOOK_EVERY_MS = 600_000;
const NAMED = 3;

/**
 * Checks the project space on a schedule, at a low rate. A check that a restart broke off goes on; a volume that was never
 * checked waits for its first one for as long as the others do, so that a fresh instance has its line for itself.
 */
export async function verifyOnSchedule(
  options: {
    readonly runner: Runner;
    readonly settings: LiveSettings;
    readonly clock: Clock;
    readonly log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { runner, settings, clock, log } = options;
  const rate = () => settings.now.verifyBytesPerSecond ?? DEFAULT_BYTES_PER_SECOND;
  let since = clock.now();
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    const everyMs = (settings.now.verifyEveryDays ?? DEFAULT_DAYS) * DAY_MS;
    const { project } = runner;
    if (
      signal.aborted ||
      everyMs === 0 ||
      project === null ||
      !project.holdsLease ||
      !runner.board.status().ready
    )
      continue;
    const last = project.verification;
    if (last !== null && last.endedAt !== null) since = Date.parse(last.endedAt);
    const isBrokenOff = last !== null && last.endedAt === null;
    if (!isBrokenOff && Math.abs(clock.now() - since) < everyMs) continue;
    try {
      const found = await project.verify(rate, signal);
      tellVerified(runner.board, found);
      log.info(
        { operation: 'verify', files: found.filesDone, found: found.found },
        'the project space was checked',
      );
    } catch (error) {
      if (!signal.aborted)
        log.warn({ operation: 'verify', error: (error as Error).message }, 'a check of the space broke off');
    }
  }
}

/** A problem with names where something was found; it goes with the next check that finds nothing. */
export function tellVerified(board: StatusBoard, { found, findings, endedAt }: Verification): void {
  const names = findings.slice(0, NAMED).map(({ path, what }) => `${path} ${what}`);
  board.warn(
    found === 0
      ? null
      : {
          code: 'state-damaged',
          space: 'project',
          since: endedAt ?? new Date().toISOString(),
          message:
            `A check of the project space found ${found} things that are not as they were saved: ${names.join('; ')}` +
            `${found > names.length ? '; and more' : ''}. The files on the volume are not touched. To mend what can be mended: sync repair. All names: sync verify`,
        },
    'verify',
  );
}
