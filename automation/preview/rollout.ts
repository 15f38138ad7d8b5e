import { changesOfPreview, type EnginePreview } from '../meaning/changes.ts';
import { isHarmless, meaningOf, NOTHING } from '../meaning/meaning.ts';
import { inParallel } from './in-parallel.ts';
import type { Pulumi } from './pulumi.ts';

/**
 * `up` of many stacks after a merge: one first, then waves of a limited size. A wave begins only when the previews of all
 * its stacks pass; the first failure ends the rollout. It closes no desktop: what would is left to a person, whose `npm run destroy`
 * or `up` drains it first and is looked at.
 */

export type Outcome = 'done' | 'unchanged' | 'held' | 'failed' | 'not begun';

export interface StackOutcome {
  readonly stack: string;
  readonly outcome: Outcome;
  /** What an `up` means for its user, why it is held, or why it failed. */
  readonly text: string;
}

export interface RolloutOptions {
  /** Stacks of a wave after the first. */
  readonly limit: number;
  readonly onOutcome?: (outcome: StackOutcome) => void;
}

/** Why the rollout leaves a stack alone; undefined where it does not: where all that its `up` does is known, and ends no session. */
export function whyHeld(preview: EnginePreview): string | undefined {
  const grave = meaningOf(changesOfPreview(preview)).filter((meaning) => !isHarmless(meaning));
  return grave.length === 0 ? undefined : grave.map(({ text }) => text).join('; ');
}

export async function rollOut(
  stacks: readonly string[],
  pulumi: Pulumi,
  { limit, onOutcome = () => undefined }: RolloutOptions,
): Promise<StackOutcome[]> {
  const outcomes: StackOutcome[] = [];
  const tell = (outcome: StackOutcome) => {
    outcomes.push(outcome);
    onOutcome(outcome);
    return outcome;
  };
  const waves = wavesOf(stacks, limit);
  for (const [number, wave] of waves.entries()) {
    const ended = await runWave(wave, pulumi, limit);
    ended.forEach(tell);
    if (!ended.some(({ outcome }) => outcome === 'failed')) continue;
    for (const stack of waves.slice(number + 1).flat())
      tell({ stack, outcome: 'not begun', text: 'a stack before it failed' });
    break;
  }
  return outcomes;
}

/** One stack that shows what the change does, then all others. */
function wavesOf(stacks: readonly string[], limit: number): string[][] {
  const [first, ...others] = stacks;
  if (first === undefined) return [];
  const count = Math.ceil(others.length / limit);
  return [
    [first],
    ...Array.from({ length: count }, (_, wave) => others.slice(wave * limit, (wave + 1) * limit)),
  ];
}

async function runWave(wave: readonly string[], pulumi: Pulumi, limit: number): Promise<StackOutcome[]> {
  const planned = await inParallel(wave, limit, async (stack): Promise<StackOutcome> => {
    try {
      const preview = await pulumi.preview(stack);
      const held = whyHeld(preview);
      if (held !== undefined)
        return {
          stack,
          outcome: 'held',
          text: `${held}. Where that is meant, run it by hand: pulumi up --stack ${stack}`,
        };
      const changes = changesOfPreview(preview);
      const text =
        meaningOf(changes)
          .map((each) => each.text)
          .join('; ') || NOTHING;
      return { stack, outcome: changes.length === 0 ? 'unchanged' : 'done', text };
    } catch (error) {
      return { stack, outcome: 'failed', text: (error as Error).message };
    }
  });
  const isStopped = planned.some(({ outcome }) => outcome === 'failed');
  return inParallel(planned, limit, async (plan): Promise<StackOutcome> => {
    if (plan.outcome !== 'done') return plan;
    if (isStopped) return { ...plan, outcome: 'not begun', text: 'a preview of its wave failed' };
    try {
      await pulumi.up(plan.stack);
      return plan;
    } catch (error) {
      return { ...plan, outcome: 'failed', text: (error as Error).message };
    }
  });
}

export interface StackDrift {
  readonly stack: string;
  readonly state: 'as it should be' | 'drifted' | 'not compared';
  readonly text: string;
}

/** Compares what each stack's state says with the cluster; one that cannot be compared does not stop the others. */
export function findDrift(stacks: readonly string[], pulumi: Pulumi, limit: number): Promise<StackDrift[]> {
  return inParallel(stacks, limit, async (stack): Promise<StackDrift> => {
    try {
      const found = await pulumi.drift(stack);
      return found === undefined
        ? { stack, state: 'as it should be', text: '' }
        : { stack, state: 'drifted', text: found };
    } catch (error) {
      return { stack, state: 'not compared', text: (error as Error).message };
    }
  });
}
