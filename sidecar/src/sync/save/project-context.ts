import type { Space } from '../../spaces/space.ts';
import type { VolumeContext } from '../plan/volume-context.ts';
import type { ChangeWatch } from '../volume/change-watch.ts';
import type { Lease } from './lease.ts';

/** What a save needs beside the volume and its space. */
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
