/**
 * Pulumi itself, found or made: on PATH, by the vendor's download, or built from Go modules; and stacks deployed with it by
 * its Automation API. Knows nothing of Scipion.
 */
export { type CommandEnd, CommandFailure, runCommand } from './command.ts';
export { InterruptedError, type RunChanges, type RunResult } from './deployment.ts';
export { type Environment, engineEnvironment } from './environment.ts';
export { type Engine, ensureEngine } from './find.ts';
export { adviceFor, DAMAGED_SECRET, describeFailure, type Place } from './problems.ts';
export type { Step } from './progress.ts';
export { type ListedStack, openProject, type Project, type SetValues } from './project.ts';
export {
  type DeployedStack,
  openStack,
  type StackSettings,
  stateEnvironment,
  withUsersOwn,
} from './stack.ts';
export { STATE_PACKINGS } from './state-files.ts';
export { type EngineStep, errorsOfLog, stepsOfLog } from './steps.ts';
export { type LivingObject, type Recover, type RunOnStack, type TakenOver, takeOver } from './take-over.ts';
export { VERSIONS } from './versions.ts';
