import pLimit from 'p-limit';
import { changesOfPreview, type EnginePreview } from '../meaning/changes.ts';
import type { Pulumi } from './pulumi.ts';
import { wordsOf } from './rollout.ts';

/** Is the cluster as the states say and nobody else wished, and are the states as program and settings say? */

export interface StackDrift {
  readonly stack: string;
  readonly state: 'as it should be' | 'drifted' | 'left behind' | 'not compared';
  readonly text: string;
}

/** Asks the cluster what others have set in the objects of a stack, in lines; empty where nobody has. */
export type ReadForeign = (stack: string, preview: EnginePreview) => Promise<readonly string[]>;

/** One that cannot be compared does not stop the others. */
export function findDrift(
  stacks: readonly string[],
  pulumi: Pulumi,
  readForeign: ReadForeign,
  limit: number,
): Promise<StackDrift[]> {
  return pLimit(limit).map(stacks, async (stack): Promise<StackDrift> => {
    try {
      const drifted = await pulumi.drift(stack);
      const preview = await pulumi.preview(stack);
      const foreign = await readForeign(stack, preview);
      const behind = whatIsBehind(preview, stack);
      const added = foreign.length > 0 ? [`set by others:\n${foreign.join('\n')}`] : [];
      const text = [behind, ...added, drifted].filter((part) => part !== undefined).join('\n\n');
      if (drifted !== undefined || foreign.length > 0) return { stack, state: 'drifted', text };
      return { stack, state: behind === undefined ? 'as it should be' : 'left behind', text };
    } catch (error) {
      return { stack, state: 'not compared', text: (error as Error).message };
    }
  });
}

function whatIsBehind(preview: EnginePreview, stack: string): string | undefined {
  if (changesOfPreview(preview).length === 0) return undefined;
  return `the branch says otherwise, and was not rolled out. An up: ${wordsOf(preview)}. See it: pulumi preview --diff --stack ${stack}`;
}
