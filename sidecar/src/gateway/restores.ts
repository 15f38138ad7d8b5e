import type { SyncClient } from './sync-client.ts';

/** What the page is told of the last restore that was asked for. */
export interface RestoreView {
  /** The new folder of the project that holds the copy. */
  readonly to: string;
  readonly state: 'running' | 'done' | 'failed';
  /** Copied, once it is done. */
  readonly files: number;
  readonly bytes: number;
  /** Those that the space does not have any more as they were saved. */
  readonly skipped: number;
  /** Why it failed, in a sentence and by its code. */
  readonly message: string;
  readonly code: string;
}

/** Copies of an older save may take hours: they go on without the page, which asks how far they are. One at a time. */
const MAX_MS = 24 * 3_600_000;

export class Restores {
  readonly #sync: SyncClient;
  #last: RestoreView | null = null;

  constructor(sync: SyncClient) {
    this.#sync = sync;
  }

  get last(): RestoreView | null {
    return this.#last;
  }

  /** Copies what a save has at a path to a new folder; false while another copy is made. */
  begin(path: string, of: string, now = new Date()): boolean {
    if (this.#last?.state === 'running') return false;
    const to = `restored-${now.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
    const begun = { to, files: 0, bytes: 0, skipped: 0, message: '', code: '' };
    this.#last = { ...begun, state: 'running' };
    void this.#sync.ask('/v1/restore', { path, to, of }, MAX_MS).then((result) => {
      this.#last = result.accepted
        ? { ...begun, ...pick(JSON.parse(result.content)), state: 'done' }
        : { ...begun, message: result.message, code: result.code, state: 'failed' };
    });
    return true;
  }
}

const pick = ({ to, files, bytes, skipped }: RestoreView) => ({ to, files, bytes, skipped });
