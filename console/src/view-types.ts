import type { FleetErrorCode, OperationKind, OperationStage } from '../../automation/fleet/kinds.ts';
import type { Activity } from '../../sidecar/contract/activity.ts';
import type { Problem, SyncStatus, Transfer, VolumeRoom, Warning } from '../../sidecar/contract/status.ts';

/** What the console says to its pages: types and words alone, since the pages import them. */

export const STATES = [
  'working',
  'killed',
  'failed',
  'settings-wrong',
  'not-made',
  'running',
  'starting',
  'paused',
  'absent',
  'unknown',
] as const;
export type InstanceState = (typeof STATES)[number];

export const RULE_REASONS = ['idle', 'expiry'] as const;
export type RuleReason = (typeof RULE_REASONS)[number];

/** A pause by a rule of the site. */
export interface RuleView {
  readonly why: RuleReason;
  /** ISO 8601: when it comes; absent: it is paused for it. */
  readonly at?: string;
}

export interface InstanceView {
  readonly name: string;
  readonly state: InstanceState;
  /** A sentence where the state needs one. */
  readonly reason?: string;
  readonly owner?: string;
  readonly isOwn: boolean;
  readonly version?: string;
  readonly url?: string;
  readonly isPaused: boolean;
  /** What it takes of its user's limits now; absent: its settings cannot be read. */
  readonly takes?: Readonly<Record<Exclude<AllowanceKey, 'instances'>, number>>;
  readonly cpuTime?: CpuTime;
  /** ISO 8601: when it was last made or changed. */
  readonly changedAt?: string;
  /** ISO 8601: when its time ends. */
  readonly expiresAt?: string;
  /** Who looks may give it another end. */
  readonly mayExtend: boolean;
  readonly rule?: RuleView;
  readonly operation?: OperationView;
  readonly sync?: SyncView;
  /** What keeps the pod from starting, newest last. */
  readonly warnings: readonly string[];
}

export interface OperationView {
  readonly kind: OperationKind;
  readonly state: 'running' | 'failed' | 'killed';
  readonly since: string;
  readonly stage: OperationStage;
  readonly underWay: readonly string[];
  readonly failure?: string;
  /** It was begun here, so that its events can be followed. */
  readonly isHere: boolean;
  /** Its settings were not all written: they must be given again. */
  readonly needsAnswers: boolean;
}

export interface SyncView {
  readonly phase: SyncStatus['phase'];
  readonly isReady: boolean;
  readonly lastSavedAt: string | null;
  readonly unsaved: boolean | null;
  readonly lastError: string | null;
  readonly source: Transfer;
  readonly project: Transfer;
  readonly problems: readonly Problem[];
  /** What works and is better changed, without what is told elsewhere. */
  readonly advice: readonly Pick<Warning, 'code' | 'message'>[];
  /** Files and folders that were left out of copies and saves. */
  readonly leftOut: number;
  readonly volumes: Readonly<Partial<Record<'source' | 'project', VolumeRoom>>>;
  readonly tokenExpiresAt: Readonly<Partial<Record<'source' | 'project', string | null>>>;
  /** Absent: it does not tell. */
  readonly activity?: Omit<Activity, 'cpus'>;
}

/** CPUs that are always there, times the hours that an instance was seen to run; in tenths. */
export interface CpuTime {
  readonly hours: number;
  /** Hours in which nobody looked, after it was seen to run. */
  readonly notSeenHours: number;
}
export interface UserCpuTime extends CpuTime {
  /** Id; empty: of instances of nobody. */
  readonly user: string;
}

/** Of `GET /api/instances` and of the event `instances`. */
export interface InstanceList {
  readonly instances: readonly InstanceView[];
  /** ISO 8601: when all this was seen; null: not yet. */
  readonly seenAt: string | null;
  /** The last look failed: what is shown is old. */
  readonly isOld: boolean;
  /** What its user has of what is limited; none in the list of all. */
  readonly allowances: Allowances;
  /** Of its user, also for instances that are gone; absent in the list of all. */
  readonly cpuTime?: CpuTime & { readonly since: string };
}

/** Of `GET /api/me`. */
export interface Me {
  readonly name: string;
  readonly isOperator: boolean;
  readonly csrf: string;
  /** Where a proxy signs users in, it is the proxy that signs them out. */
  readonly canSignOut: boolean;
  /** What operators tell all users. */
  readonly announcement?: string;
}

/** What may be limited for a user. CPUs, memory and storage as numbers: CPUs that are always there, and bytes. */
export type AllowanceKey = 'instances' | 'cpus' | 'memory' | 'storage';

export interface Allowance {
  /** What a user has, or would have. */
  readonly taken: number;
  readonly allowed: number;
}
export type Allowances = Readonly<Partial<Record<AllowanceKey, Allowance>>>;

/** Of `GET /api/form`. */
export interface NewForm {
  readonly fields: readonly FormField[];
  /** Of what is limited. */
  readonly allowances: Allowances;
}

/** Keys of the form, and what may be changed later; a subset of docs/config-reference.md. */
export interface FormField {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  /** Completes "Allowed: …". */
  readonly allowed: string;
  readonly preset: string;
  /** Present: one of these. */
  readonly choices?: readonly string[];
}

/** Of `POST /api/check`. */
export interface CheckAnswer {
  /** Key → what is allowed. */
  readonly wrong: Readonly<Record<string, string>>;
  readonly isName: boolean;
  readonly isTaken: boolean;
  /** What the user would have of what is limited; empty where the answers cannot be used. */
  readonly would: Allowances;
}

export interface SpaceChoice {
  readonly id: string;
  readonly name: string;
  readonly providers: readonly string[];
  readonly fault?: { readonly code: string; readonly message: string };
  readonly advice: readonly { readonly code: string; readonly message: string }[];
  /** Other instances that write it, and whose they are. */
  readonly usedBy: readonly { readonly name: string; readonly owner: string | null }[];
}

/** Of `POST /api/token`. */
export type TokenAnswer =
  | { readonly kind: 'spaces'; readonly zone: string; readonly spaces: readonly SpaceChoice[] }
  | { readonly kind: 'unusable'; readonly code: string; readonly message: string }
  | { readonly kind: 'unasked'; readonly message: string };

/** What `pulumi up` would do with changed keys. */
export interface ChangeMeaning {
  readonly key: string;
  readonly change: string;
  readonly needsRestart: boolean;
}

/** An answer that is not the one that was asked for. `message` is English and may be shown beneath the page's own words. */
export interface Refused {
  readonly code: RefusalCode;
  readonly message?: string;
  /** Key → what is allowed. */
  readonly wrong?: Readonly<Record<string, string>>;
  /** What would be more than the user may have. */
  readonly over?: Allowances;
}

export const REFUSAL_CODES = [
  'signed-out',
  'not-from-here',
  'not-found',
  'not-understood',
  'too-large',
  'too-many',
  'name-not-typed',
  'name-wrong',
  'answers-wrong',
  'not-recorded',
  'over-limit',
  'expired',
  'busy',
  'exists',
  'unknown',
  'settings',
  'interrupted',
  'stopped',
  'failed',
] as const satisfies readonly (string | FleetErrorCode)[];
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Events of an operation, as a page gets them. */
export type ProgressEvent = { readonly at: string } & (
  | { readonly event: 'waiting' | 'begun' }
  | {
      readonly event: 'step';
      readonly step: {
        readonly operation: string;
        readonly kind: string;
        readonly name: string;
        readonly state: string;
      };
    }
  | { readonly event: 'said' | 'warning'; readonly text: string }
  /** With the address, where the desktop has one now. */
  | { readonly event: 'done'; readonly url?: string }
  | { readonly event: 'failed'; readonly code: FleetErrorCode; readonly what: string }
);

export const DRIFT_STATES = ['as it should be', 'drifted', 'left behind', 'not compared'] as const;

/** Whether the cluster is as state and settings of an instance say. */
export interface DriftView {
  readonly state: (typeof DRIFT_STATES)[number];
  /** What is otherwise, in English. */
  readonly text: string;
  /** ISO 8601: when it was compared. */
  readonly at: string;
}

/** One line of the operators' table. */
export interface SiteRow {
  readonly name: string;
  readonly state: InstanceState;
  readonly isPaused: boolean;
  readonly owner?: string;
  readonly version?: string;
  readonly operation?: OperationKind;
  /** ISO 8601: when it was made. */
  readonly createdAt?: string;
  readonly idleSeconds?: number;
  /** On both volumes. */
  readonly usedBytes?: number;
  /** Of both volumes, as they are asked for. */
  readonly storageBytes?: number;
  readonly cpuHours?: number;
  readonly problems: number;
  /** What keeps it from starting, in English. */
  readonly waits?: string;
  /** It waits for room or quota in the cluster. */
  readonly isNoRoom?: boolean;
  readonly rule?: RuleView;
  readonly expiresAt?: string;
  readonly drift?: DriftView;
}

export const UPGRADE_STATES = ['left', 'saves', 'changes', 'restarts', 'done', 'failed'] as const;

export interface UpgradeView {
  readonly version: string;
  readonly by: string;
  readonly isOver: boolean;
  readonly isStopping: boolean;
  /** The console that ran it has ended. */
  readonly isInterrupted: boolean;
  readonly instances: readonly {
    readonly name: string;
    /** `left`: not begun, and as it was. */
    readonly state: (typeof UPGRADE_STATES)[number];
    readonly message?: string | undefined;
  }[];
}

/** Of `GET /api/site`. */
export interface SiteView {
  readonly rows: readonly SiteRow[];
  readonly seenAt: string | null;
  readonly isOld: boolean;
  readonly versions: readonly string[];
  readonly maxWave: number;
  /** There is a file that can be written. */
  readonly canAnnounce: boolean;
  /** Which one is compared with the cluster now. */
  readonly comparing?: string;
  readonly upgrade?: UpgradeView;
  readonly cpuTime: { readonly since: string; readonly users: readonly UserCpuTime[] };
}

/** Of `GET /api/site/audit`, newest first. */
export interface AuditView {
  readonly deeds: readonly DeedView[];
}
export interface DeedView {
  /** ISO 8601. */
  readonly at: string;
  readonly user: string;
  readonly action: string;
  readonly instance?: string;
  readonly outcome: string;
  readonly detail?: string;
  readonly client?: string;
}
