import type { Settings } from '../../stacks/schema.ts';
import { parseSizeBytes } from '../../stacks/units.ts';
import type { LiveState } from './live.ts';
import type { FoundRecord } from './records.ts';
import type { KeyChange, Tokens, Values } from './settings.ts';

/** What is asked of the fleet, and what it answers. */

export interface InstanceSpec {
  /** Keys of docs/config-reference.md without prefix. */
  readonly settings: Values;
  readonly secrets: Tokens;
  /** Keys with their prefix that are not this program's, e.g. `kubernetes:context`. */
  readonly others?: Values;
  /** Who it belongs to, for callers that have users; kept with the settings, and nothing of the instance. */
  readonly owner?: string;
}

/** Key of the owner in a stack's file; nothing of the program reads it. */
export const OWNER_KEY = 'fleet:owner';

/**
 * When the time of an instance ends, as ISO 8601 in UTC, for callers that give it one; empty: never. Kept with the
 * settings like its owner.
 */
export const EXPIRES_KEY = 'fleet:expires';

export interface UpResult {
  readonly changes: Readonly<Record<string, number>>;
  readonly url?: string;
}

export interface ChangeResult extends UpResult {
  /** What each key means for the session that runs. */
  readonly keys: readonly KeyChange[];
}

/** What an instance reserves of its cluster. */
export interface FleetSize {
  /** Thousandths of a CPU that are always there. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Of both volumes together. */
  readonly storageBytes: number;
}

export const sizeOf = (settings: Settings): FleetSize => ({
  cpuMillis: settings.cpuGuaranteed,
  memoryBytes: parseSizeBytes(settings.memory) ?? 0,
  storageBytes:
    (parseSizeBytes(settings.sourceVolumeSize) ?? 0) + (parseSizeBytes(settings.projectVolumeSize) ?? 0),
});

export interface InstanceSummary {
  readonly name: string;
  readonly lastUpdate?: string;
  readonly url?: string;
  readonly version?: string;
  readonly namespace?: string;
  readonly projectSpaceId?: string;
  readonly owner?: string;
  /** ISO 8601, UTC. */
  readonly expiresAt?: string;
  readonly isPaused?: boolean;
  readonly size?: FleetSize;
  /** What the cluster says; absent where it was not asked. */
  readonly live?: LiveState;
  /** An operation that runs, failed, or was killed. */
  readonly operation?: FoundRecord;
  /** Why the settings cannot be read or are wrong. */
  readonly problem?: string;
}

export interface Door {
  /** Absent before its first `up`. */
  readonly url?: string;
  /** In clear. Absent: its users sign in elsewhere. */
  readonly password?: string;
}

export interface RemoveOptions {
  /** Gives up work that cannot be saved. It is lost. */
  readonly discardUnsavedChanges?: boolean;
  /** Keeps the stack with its settings and tokens, so that `resume` brings the instance back. */
  readonly keepSettings?: boolean;
}
