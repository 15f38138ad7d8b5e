/**
 * The embedded engine: runs an unmodified Pulumi program (nodejs) without the Pulumi CLI, by serving Pulumi's own protocol to
 * its SDK. For development, tests, previews without credentials and air-gapped trials.
 *
 * It is not a second Pulumi: it knows the providers `kubernetes` (through kubectl) and `random`, keeps its state in a file
 * beside the program, and has no services, plugins, imports, refreshes or policies. What it does not know it refuses
 * by name. `up` is not told of changes that others made in the cluster.
 */
export type { ConfigValue } from './config.ts';
export type { EngineEvent, StepCounts, StepEvent, StepKind } from './events.ts';
export { EngineError, type HookCall, type LogMessage, type ResourceOptions } from './protocol.ts';
export type { KubectlSettings } from './providers/kubectl.ts';
export {
  type LiveRun,
  type ProgramRun,
  type Registration,
  type RunOptions,
  runProgram,
} from './record.ts';
export { manifests, type Rendered, render } from './render.ts';
export {
  destroy,
  outputs,
  preview,
  previewDestroy,
  type StackOptions,
  type StackResult,
  up,
} from './stack.ts';
export {
  containsSecret,
  mask,
  type Properties,
  reveal,
  Secret,
  secretPaths,
  UNKNOWN,
  type Value,
} from './values.ts';
