import pLimit from 'p-limit';
import { changesOfPreview, type EnginePreview } from '../meaning/changes.ts';
import { isHarmless, meaningOf, NOTHING } from '../meaning/meaning.ts';
import type { Pulumi } from './pulumi.ts';

/**
 * `up` of all stacks whose state is not what program and settings say, after a merge: the first that changes goes alone, then
 * waves of a limited size. All are looked at each time, so that what an earlier rollout left behind is not forgotten. A wave
 * begins only when the previews of all its stacks pass; the first failure ends the rollout. It closes no desktop: what would is left
 * to a person, whose `npm run destroy` or `up` drains it first and is looked at.
 */

export type Outcome = 'done' | 'unchanged' | 'held' | 'failed' | 'interrupted' | 'not begun';

export interface StackOutcome {
  readonly stack: string;
  readonly outcome: Outcome;
  /** What an `up` means for its user, why it is held, or why it failed. */
  readonly text: string;
}

export interface RolloutOptions {
  /** Stacks of a wave. */
  readonly limit: number;
  readonly onOutcome?: (outcome: StackOutcome) => void;
  /** Ends it: what runs is ended in order, nothing more is begun. */
  readonly signal?: AbortSignal;
}

/** Why the rollout leaves a stack alone; undefined where it does not: where all that its `up` does is known, and ends no session. */
export function whyHeld(preview: EnginePreview): string | undefined {
  const grave = meaningOf(changesOfPreview(preview)).filter((meaning) => !isHarmless(meaning));
  return grave.length === 0 ? undefined : grave.map(({ text }) => text).join('; ');
}

export async function rollOut(
  stacks: readonly string[],
  pulumi: Pulumi,
  options: RolloutOptions,
): Promise<StackOutcome[]> {
  const { limit, onOutcome = () => undefined } = options;
  const outcomes: StackOutcome[] = [];
  const tell = (outcome: StackOutcome) => {
    outcomes.push(outcome);
    onOutcome(outcome);
  };
  for (let begun = 0; begun < stacks.length; begun += limit) {
    const wave = stacks.slice(begun, begun + limit);
    const hasShown = outcomes.some(({ outcome }) => outcome === 'done');
    const ended = await runWave(wave, pulumi, options, hasShown);
    ended.forEach(tell);
    const why = whyEnded(ended);
    if (why === undefined) continue;
    for (const stack of stacks.slice(begun + limit)) tell({ stack, outcome: 'not begun', text: why });
    break;
  }
  return outcomes;
}

const INTERRUPTED = 'the rollout was interrupted';

function whyEnded(ended: readonly StackOutcome[]): string | undefined {
  if (ended.some(({ outcome, text }) => outcome === 'interrupted' || text === INTERRUPTED))
    return INTERRUPTED;
  return ended.some(({ outcome }) => outcome === 'failed') ? 'a stack before it failed' : undefined;
}

/** @param hasShown whether a stack has shown already what the change does */
async function runWave(
  wave: readonly string[],
  pulumi: Pulumi,
  { limit, signal }: RolloutOptions,
  hasShown: boolean,
): Promise<StackOutcome[]> {
  const planned = await pLimit(limit).map(wave, (stack) => plan(stack, pulumi, signal));
  const stop = (why: string) => planned.map((each) => notBegun(each, why));
  if (signal?.aborted) return stop(INTERRUPTED);
  if (planned.some(({ outcome }) => outcome === 'failed')) return stop('a preview of its wave failed');
  const first = hasShown ? undefined : planned.find(({ outcome }) => outcome === 'done');
  const shown = first && (await carryOut(first, pulumi, signal));
  const isBad = shown !== undefined && shown.outcome !== 'done';
  return pLimit(limit).map(planned, async (each) => {
    if (each === first && shown !== undefined) return shown;
    return isBad && !signal?.aborted
      ? notBegun(each, 'a stack before it failed')
      : carryOut(each, pulumi, signal);
  });
}

const notBegun = (planned: StackOutcome, text: string): StackOutcome =>
  planned.outcome === 'done' ? { ...planned, outcome: 'not begun', text } : planned;

/** `done` is what will be done. */
async function plan(stack: string, pulumi: Pulumi, signal: AbortSignal | undefined): Promise<StackOutcome> {
  if (signal?.aborted) return { stack, outcome: 'not begun', text: INTERRUPTED };
  try {
    const preview = await pulumi.preview(stack, signal);
    const held = whyHeld(preview);
    if (held !== undefined)
      return {
        stack,
        outcome: 'held',
        text: `${held}. Where that is meant, run it by hand: pulumi up --stack ${stack}`,
      };
    const changes = changesOfPreview(preview);
    return { stack, outcome: changes.length === 0 ? 'unchanged' : 'done', text: wordsOf(preview) };
  } catch (error) {
    if (signal?.aborted) return { stack, outcome: 'not begun', text: INTERRUPTED };
    return { stack, outcome: 'failed', text: (error as Error).message };
  }
}

export const wordsOf = (preview: EnginePreview): string =>
  meaningOf(changesOfPreview(preview))
    .map(({ text }) => text)
    .join('; ') || NOTHING;

async function carryOut(
  planned: StackOutcome,
  pulumi: Pulumi,
  signal: AbortSignal | undefined,
): Promise<StackOutcome> {
  if (planned.outcome !== 'done') return planned;
  if (signal?.aborted) return notBegun(planned, INTERRUPTED);
  try {
    await pulumi.up(planned.stack, signal);
    return planned;
  } catch (error) {
    const { message } = error as Error;
    return signal?.aborted
      ? { ...planned, outcome: 'interrupted', text: `its up was stopped in the middle: ${message}` }
      : { ...planned, outcome: 'failed', text: message };
  }
}
