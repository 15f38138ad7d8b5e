/** Words that pages know too: nothing is imported here. */

export const OPERATION_KINDS = [
  'create',
  'change',
  'pause',
  'resume',
  'restart',
  'save',
  'token',
  'remove',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export type FleetErrorCode =
  /** Another operation runs on the instance. */
  | 'busy'
  | 'exists'
  | 'unknown'
  /** Settings or tokens are wrong; nothing was changed. */
  | 'settings'
  /** An operation was killed and must be continued or given up first. */
  | 'interrupted'
  | 'stopped'
  | 'failed';

export const OPERATION_STAGES = ['waiting', 'settings', 'engine', 'cluster'] as const;
export type OperationStage = (typeof OPERATION_STAGES)[number];
