/**
 * The recording engine: runs an unmodified Pulumi program (nodejs) without Pulumi's engine, by serving Pulumi's own protocol
 * to its SDK, and records every resource with its options, dependencies, secrets and hooks. For component tests, for
 * manifests without a cluster, for previews of other people's changes without a credential. The SDK's `setMocks` cannot
 * do that: a mock is told type, name and inputs of a resource and nothing of its options (no `dependsOn`, no hooks, no
 * timeouts), secrets reach it unmarked, and a program that registers a hook crashes under it (3.270).
 *
 * It deploys nothing and keeps no state: what deploys is Pulumi itself, in `automation/engine`.
 */
export type { ConfigValue } from './config.ts';
export { EngineError, type HookCall, type LogMessage, type ResourceOptions } from './protocol.ts';
export {
  type LiveRun,
  type ProgramRun,
  type Registration,
  type RunOptions,
  runProgram,
} from './record.ts';
export { manifests, type Rendered, render } from './render.ts';
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
export { ProgramWorkers } from './workers.ts';
