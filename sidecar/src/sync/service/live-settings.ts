import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { LIVE_SYNC_KEYS, type LiveSyncSettings } from '../../../contract/config.ts';
import type { Clock } from '../../clock.ts';
import { readConfig } from './config.ts';
import type { StatusBoard } from './status-board.ts';

/** The settings that change under a running process, as they are now. */
export class LiveSettings {
  #now: LiveSyncSettings;
  #change = new AbortController();

  constructor(start: LiveSyncSettings) {
    this.#now = start;
  }

  get now(): LiveSyncSettings {
    return this.#now;
  }

  /** Aborted by the next change. */
  get changed(): AbortSignal {
    return this.#change.signal;
  }

  /** @returns the keys whose values are others now */
  use(next: LiveSyncSettings): string[] {
    const keys = LIVE_SYNC_KEYS.filter((key) => !isDeepStrictEqual(this.#now[key], next[key]));
    if (keys.length === 0) return keys;
    this.#now = next;
    const before = this.#change;
    this.#change = new AbortController();
    before.abort();
    return keys;
  }
}

/** How soon a changed file is seen. The kubelet itself takes up to about 90 s to bring it. */
const LOOK_EVERY_MS = 5_000;

export interface FollowOptions {
  readonly settings: LiveSettings;
  readonly file: string;
  readonly board: StatusBoard;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes the settings over whenever the configuration changes; one that cannot be used changes nothing, and is told. Ends with the signal. */
export async function followConfig(
  { settings, file, board, clock, log }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  let refused: string | null = null;
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const changed = settings.use(await readConfig(file));
      if (changed.length > 0) log.info({ changed }, 'changed settings are used from now on');
      if (refused !== null) board.withdraw('settings-refused');
      refused = null;
    } catch (error) {
      const { message } = error as Error;
      if (message === refused) continue;
      refused = message;
      log.error({ error: message }, 'changed settings cannot be used; the ones before stay in use');
      board.advise({
        code: 'settings-refused',
        message:
          'The changed settings of this instance cannot be used, so those before stay in use and saving continues: ' +
          `${message}. Whoever runs the instance has to correct them; nothing needs a restart.`,
      });
    }
  }
}
