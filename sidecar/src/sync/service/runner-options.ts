import type { Logger } from 'pino';
import type { SyncConfig } from '../../../contract/config.ts';
import type { Clock } from '../../clock.ts';
import type { DeletionLimits } from '../plan/guards.ts';
import type { LeaseTimes } from '../save/lease.ts';
import type { LiveSettings } from './live-settings.ts';
import type { MetricsSink } from './metrics.ts';
import type { SpaceFactory } from './open-space.ts';
import type { SyncPaths } from './sync-paths.ts';

export interface RunnerOptions {
  /** As it was at the start. */
  readonly config: SyncConfig;
  readonly settings: LiveSettings;
  readonly paths: SyncPaths;
  readonly spaces: SpaceFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsSink;
  readonly limits?: DeletionLimits;
  readonly leaseTimes?: Partial<LeaseTimes>;
  /** Longest wait for the desktop to end in a drain. */
  readonly desktopWaitMs?: number;
  /** How long a drain waits for a token in place of one that ended; a changed Secret takes up to 2 minutes to arrive. */
  readonly tokenWaitMs?: number;
  /** Least wait before source files that could not be copied are tried again. @default a minute */
  readonly sourceRetryMs?: number;
}
