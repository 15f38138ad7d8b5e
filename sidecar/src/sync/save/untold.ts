import type { StateStore } from '../state/state.ts';

/**
 * What a recovery has found waits in the state for whatever ends well next and tells people: a start, or a save. So
 * nothing is lost where what follows the recovery fails, whoever began it.
 */
export function noteUntold(state: StateStore, sentences: readonly string[]): void {
  if (sentences.length > 0) state.setJson('untold', [...untold(state), ...sentences].slice(-MOST));
}

/** They are told then. */
export function takeUntold(state: StateStore): readonly string[] {
  const sentences = untold(state);
  if (sentences.length > 0) state.setMeta('untold', null);
  return sentences;
}

const MOST = 5;
const untold = (state: StateStore) => state.json<readonly string[]>('untold', []);

/**
 * A decided save that could not be completed may have put versions away that its volume alone has others of. Until a start
 * has dealt with it, what the space lacks is no removal. Noted before the record goes, which says it to others.
 */
export function noteGivenUp(state: StateStore): void {
  const what: GivenUp = state.base.hasFiles() ? 'known' : 'new';
  state.durably(() => state.setMeta('given-up', what));
}

/** Whether the volume had saves then: what is not on it is what its user has removed. */
type GivenUp = 'known' | 'new';

/** A new volume cannot know what it lacks. */
export function mayLackPutAway(state: StateStore): boolean {
  return state.meta('given-up') === ('new' satisfies GivenUp);
}

export function isGivenUp(state: StateStore): boolean {
  return state.meta('given-up') !== null;
}

export function forgetGivenUp(state: StateStore): void {
  if (isGivenUp(state)) state.setMeta('given-up', null);
}
