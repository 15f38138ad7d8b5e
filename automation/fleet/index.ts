/**
 * The one module that makes, changes, lists and removes instances: one Pulumi stack each, driven by Pulumi's Automation
 * API. Command line, console and whatever comes are thin callers of it.
 */
export { Fleet, type FleetSettings } from './fleet.ts';
export type { ChangeResult, InstanceSpec, InstanceSummary, RemoveOptions, UpResult } from './instances.ts';
export { describeSync, type LiveState } from './live.ts';
export {
  FleetError,
  type FleetErrorCode,
  type FleetEvent,
  OPERATION_KINDS,
  Operation,
  type OperationKind,
} from './operation.ts';
export { describeRecord, type FoundRecord, isEngineAlive, OperationRecords } from './records.ts';
export {
  judged,
  type KeyChange,
  problemsOfKey,
  readValues,
  type StackValues,
  type Tokens,
  type Values,
  withChanges,
} from './settings.ts';
export { type ReadableSpace, readToken, type TokenReading } from './token-spaces.ts';
