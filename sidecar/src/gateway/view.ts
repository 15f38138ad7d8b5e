import type { SyncStatus } from '../../contract/status.ts';

/**
 * What the page shows: `progress` while data is not there or the desktop does not answer yet, `desktop`, and the two
 * of a removal. Decided here and not in the page, so that every open page agrees.
 */
export type Screen = 'progress' | 'desktop' | 'saving' | 'saved';

/** `starting`: never reached since the gateway began. */
export type SyncReachability = 'starting' | 'up' | 'down';

/** The last lines of a file, as text. */
export interface LogEnd {
  /** In the project. */
  readonly path: string;
  /** Null: it is not there, or cannot be read. */
  readonly text: string | null;
  readonly isCut: boolean;
}

/** Jobs of the instance that have not ended. */
export interface JobsView {
  /** The broker has answered when it was asked last. */
  readonly isKnown: boolean;
  readonly running: number;
  readonly waiting: number;
}

/** The view is sent again after so long: a page that hears nothing for longer asks, and says so where nobody answers. */
export const VIEW_EVERY_MS = 15_000;

/** Sent to the page as server-sent event `view` and by `GET /view`. */
export interface GatewayView {
  readonly instance: string;
  readonly screen: Screen;
  readonly sync: SyncReachability;
  /** The last status that `sync` sent; null before the first. */
  readonly status: SyncStatus | null;
  /** Whether the desktop's VNC server answers. */
  readonly desktopAnswers: boolean;
  /** Windows in which the desktop is open. */
  readonly viewers: number;
  /** Those besides that only look, by a link. */
  readonly watchers: number;
  /** Null: the instance has no jobs. */
  readonly jobs: JobsView | null;
  /** The pod is ending: this gateway is about to go, while `sync` still saves. */
  readonly stopping: boolean;
  /** ISO 8601, UTC, of the gateway: the page counts from it, whatever the browser's clock says. */
  readonly time: string;
}

export interface Observed {
  readonly sync: SyncReachability;
  readonly status: SyncStatus | null;
  readonly desktopAnswers: boolean;
  /** `RUN_FILES.ready` exists: what counts while `sync` cannot be asked. */
  readonly readyFile: boolean;
}

/** Pure: total over everything that can be observed. */
export function chooseScreen({ sync, status, desktopAnswers, readyFile }: Observed): Screen {
  switch (status?.phase) {
    case 'draining':
    case 'final-saving':
      return 'saving';
    case 'drained':
    case 'stopped':
      return 'saved';
  }
  const isReady = sync === 'up' ? (status?.ready ?? false) : readyFile;
  return isReady && desktopAnswers ? 'desktop' : 'progress';
}
