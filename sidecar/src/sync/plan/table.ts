import { ImpossiblePlanError } from '../volume/state-fault.ts';

/**
 * What is done at one path, from what both sides are compared with the base, that is, with what they had when they
 * were last equal. `docs/sync-semantics.md` prints this table; a test holds the two together.
 */

export type BaseState = 'none' | 'known';
/** `meta`: same content, other mode or time. For an unknown base only `absent` and `present` are possible. */
export type LocalState = 'absent' | 'present' | 'same' | 'meta' | 'changed';
export type RemoteState = 'absent' | 'present' | 'same' | 'changed';

export type Action =
  | 'nothing'
  /** Local version to the space; the version it replaces goes to the trash. */
  | 'upload'
  /** Only the manifest learns the new mode or time. */
  | 'record'
  /** Version of the space to the volume. */
  | 'download'
  /** Equal content: remembered as equal. Otherwise the local version keeps the name, the other gets a conflict name. */
  | 'reconcile'
  /** To the trash of the space, if the guard agrees. */
  | 'remove-remote'
  /** From the volume, after the space was asked again for this path, if the guard agrees. */
  | 'remove-local'
  /** The base entry is dropped. */
  | 'forget'
  /** Left as it is while Scipion runs; the next start acts. */
  | 'later';

/** At start Scipion is closed and both directions move; while it runs nothing is changed under its hands. */
export type Occasion = 'start' | 'running';

export interface Decision {
  readonly base: BaseState;
  readonly local: LocalState;
  readonly remote: RemoteState;
  readonly start: Action;
  readonly running: Action;
  readonly why: string;
}

const row = (
  base: BaseState,
  local: LocalState,
  remote: RemoteState,
  start: Action,
  running: Action,
  why: string,
): Decision => ({ base, local, remote, start, running, why });

export const DECISIONS: readonly Decision[] = [
  row('none', 'absent', 'absent', 'nothing', 'nothing', 'neither side has it'),
  row('none', 'absent', 'present', 'download', 'later', 'new in the space'),
  row('none', 'present', 'absent', 'upload', 'upload', 'new on the volume'),
  row('none', 'present', 'present', 'reconcile', 'reconcile', 'both have it, it is not known which is newer'),
  row('known', 'same', 'same', 'nothing', 'nothing', 'changed on neither side'),
  row('known', 'same', 'changed', 'download', 'later', 'changed elsewhere'),
  row('known', 'same', 'absent', 'remove-local', 'later', 'removed elsewhere'),
  row('known', 'meta', 'same', 'record', 'record', 'other mode or time here'),
  row(
    'known',
    'meta',
    'changed',
    'download',
    'later',
    'other content elsewhere outweighs a new mode or time',
  ),
  row('known', 'meta', 'absent', 'upload', 'upload', 'touched here, removed elsewhere: kept'),
  row('known', 'changed', 'same', 'upload', 'upload', 'changed here'),
  row('known', 'changed', 'changed', 'reconcile', 'reconcile', 'changed on both sides'),
  row('known', 'changed', 'absent', 'upload', 'upload', 'changed here, removed elsewhere: kept'),
  row('known', 'absent', 'same', 'remove-remote', 'remove-remote', 'removed here'),
  row(
    'known',
    'absent',
    'changed',
    'download',
    'forget',
    'removed here, changed elsewhere: the change is kept',
  ),
  row('known', 'absent', 'absent', 'forget', 'forget', 'removed on both sides'),
];

/** @throws for a combination that cannot be, e.g. `present` with a known base. */
export function decide(base: BaseState, local: LocalState, remote: RemoteState, occasion: Occasion): Action {
  const found = DECISIONS.find(
    (each) => each.base === base && each.local === local && each.remote === remote,
  );
  if (found === undefined)
    throw new ImpossiblePlanError(`no rule for base ${base}, local ${local}, remote ${remote}`);
  return found[occasion];
}
