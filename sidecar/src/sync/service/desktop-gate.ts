import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../clock.ts';
import { desktopGone } from './desktop-watch.ts';
import type { StatusBoard } from './status-board.ts';
import type { SyncPaths } from './sync-paths.ts';

const DESKTOP_WAIT_MS = 60_000;

export interface DesktopGateOptions {
  readonly paths: SyncPaths;
  readonly clock: Clock;
  readonly board: StatusBoard;
  readonly desktopWaitMs?: number;
}

/** Opens and closes the desktop, which runs while the file `ready` is there. */
export class DesktopGate {
  readonly #options: DesktopGateOptions;
  #wasOpened = false;

  constructor(options: DesktopGateOptions) {
    this.#options = options;
  }

  /** The desktop was open in this run, or in one before it that ended under it. */
  get wasOpened(): boolean {
    return this.#wasOpened;
  }

  /** The container was restarted while Scipion runs. */
  foundOpen(): void {
    this.#wasOpened = true;
    this.#options.board.setReady(true);
  }

  async open(): Promise<void> {
    const { paths, board } = this.#options;
    this.#wasOpened = true;
    await fs.mkdir(dirname(paths.ready), { recursive: true });
    await fs.writeFile(paths.ready, '', { mode: 0o644 });
    board.setReady(true);
  }

  /** The desktop begins to end; `gone` waits for it. */
  async close(): Promise<void> {
    const { paths, board } = this.#options;
    await fs.rm(paths.ready, { force: true });
    board.setReady(false);
  }

  /** @throws DesktopStillRunningError */
  gone(signal?: AbortSignal): Promise<void> {
    const { paths, clock, desktopWaitMs = DESKTOP_WAIT_MS } = this.#options;
    return desktopGone(paths.vncSocket, desktopWaitMs, clock, signal);
  }
}
