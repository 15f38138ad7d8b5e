import { type Engine, type Environment, engineEnvironment } from '../../../automation/engine/index.ts';
import { findDrift } from '../../../automation/preview/drift.ts';
import { foreignIn } from '../../../automation/preview/live-objects.ts';
import { pulumiIn } from '../../../automation/preview/pulumi.ts';
import type { CompareInstance } from './drifts.ts';

/** Compares as the daily check of a repository does, with the console's own engine, settings and cluster. */
export function compareWith(engine: Engine, directory: string, environment: Environment): CompareInstance {
  const all = { ...engineEnvironment(engine), ...environment };
  const pulumi = pulumiIn({ command: engine.command, directory, environment: all });
  return async (name) => {
    const [found] = await findDrift([name], pulumi, foreignIn(directory), 1);
    return found ?? { state: 'not compared', text: '' };
  };
}
