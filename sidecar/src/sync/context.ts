import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { ReadOnlySpace, Space } from '../spaces/space.ts';
import type { NameCodec } from './names.ts';
import type { DeletionLimits } from './plan/guards.ts';
import type { Selection } from './plan/selection.ts';
import type { Lease } from './save/lease.ts';
import type { Progress } from './service/progress.ts';
import type { StateStore } from './state/state.ts';
import type { ChangeWatch } from './volume/change-watch.ts';
import type { LocalTree } from './volume/local-tree.ts';

/** What every step needs of one volume and its space. */
export interface VolumeContext {
  readonly space: ReadOnlySpace;
  readonly state: StateStore;
  readonly tree: LocalTree;
  readonly codec: NameCodec;
  /** Folder of the volume for temporary files; on the same file system as the data. */
  readonly scratch: string;
  /** Folder of the volume for downloads that are not finished yet. */
  readonly partials: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly progress: Progress;
  readonly limits: DeletionLimits;
  /** Part of the space that is looked at; absent: all of it. */
  readonly selection?: Selection;
  readonly signal?: AbortSignal;
}

export interface ProjectContext extends VolumeContext {
  readonly space: Space;
  readonly lease: Lease;
  /** Names the instance to others, `<namespace>/<stack>`. */
  readonly instance: string;
  /** Names this volume in the staging folder; generated once, kept in the state. */
  readonly volumeId: string;
  /** Frees so many bytes on the volume. @returns whether it could */
  readonly makeRoom?: (bytes: number) => Promise<boolean>;
  /** Where something happened on the volume; absent: every look is one at everything. */
  readonly changes?: ChangeWatch;
}
