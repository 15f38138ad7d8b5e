/**
 * The one module that makes, changes, lists and removes instances: one Pulumi stack each, driven by Pulumi's Automation
 * API. Command line, console and whatever comes are thin callers of it.
 */
export { Fleet, type FleetSettings, INSTANCE_NAME } from './fleet.ts';
export {
  type Draft,
  FORM_KEYS,
  FORM_LABELS,
  type FormKey,
  hostChoices,
  othersOnSpace,
  presetOf,
  SIDE_LABELS,
  SIZE_KEYS,
  type Side,
  wrongAnswer,
} from './form.ts';
export {
  type ChangeResult,
  type Door,
  EXPIRES_KEY,
  type FleetSize,
  type InstanceSpec,
  type InstanceSummary,
  OWNER_KEY,
  type RemoveOptions,
  sizeOf,
  type UpResult,
} from './instances.ts';
export { type FleetErrorCode, OPERATION_KINDS, type OperationKind, type OperationStage } from './kinds.ts';
export { describeSync, type LiveState } from './live.ts';
export { takeLock } from './lock.ts';
export { FleetError, type FleetEvent, type NumberedEvent, Operation } from './operation.ts';
export {
  describeRecord,
  type FoundRecord,
  isEngineAlive,
  type OperationRecord,
  OperationRecords,
} from './records.ts';
export {
  changesOfKeys,
  judged,
  type KeyChange,
  problemsOfKey,
  readValues,
  type StackValues,
  type Tokens,
  type Values,
  withChanges,
} from './settings.ts';
export { type ReadableSpace, readToken, type TokenAdvice, type TokenReading } from './token-spaces.ts';
export { type ToUpgrade, type UpgradeNews, type UpgradeResult, upgrade } from './upgrade.ts';
