import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { ReadOnlySpace } from '../../spaces/space.ts';
import type { NameCodec } from '../names.ts';
import type { Progress } from '../progress.ts';
import type { StateStore } from '../state/state.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import type { DeletionLimits } from './guards.ts';
import type { Selection } from './selection.ts';

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
