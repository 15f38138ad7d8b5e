import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import { ProgramWorkers } from '../recording/index.ts';
import { type ChangedStacks, STACK_NAME_RULE } from './changed-stacks.ts';
import { flagsOf, readBefore, readFacts } from './flags.ts';
import type { StackReport } from './report.ts';
import { previewStack } from './stack-preview.ts';

/** Reports of all stacks that a change concerns, several at once; in the order of their names. */
export async function previewStacks(
  changed: ChangedStacks,
  head: string,
  base: string | undefined,
): Promise<StackReport[]> {
  const cores = availableParallelism();
  const facts = await pLimit(cores).map(changed.existing, (stack) => readFacts(head, stack));
  const known =
    base === undefined ? [] : await pLimit(cores).map(changed.stacks, (stack) => readFacts(base, stack));
  const before = await readBefore(base, known);
  const flags = flagsOf(
    facts.filter((each) => each !== undefined),
    before,
  );
  await using workers = new ProgramWorkers();
  const previewed = await pLimit(cores).map(changed.stacks, (stack) =>
    previewStack(stack, head, base, { workers }),
  );
  const without = { resources: 0, placeholders: [] };
  return [
    ...previewed.map((report) => {
      const found = flags.get(report.stack);
      if (found === undefined) return report;
      const isUnseen = found.some(({ kind }) => kind === 'unseen') && report.state === 'unchanged';
      return { ...report, flags: [...found], ...(isUnseen ? { state: 'changed' as const } : {}) };
    }),
    ...changed.refused.map((stack) => ({
      ...without,
      stack,
      state: 'failed' as const,
      text: `The name of this stack is not allowed. Found: ${JSON.stringify(stack)}. Expected: ${STACK_NAME_RULE}. Rename its file in stacks/.`,
    })),
    ...changed.removed.map((stack) => ({ ...without, stack, state: 'removed' as const, text: '' })),
  ];
}
