import type { Problem, ProblemCode } from '../../../contract/status.ts';
import { SwappedTokensError } from '../../spaces/onedata/check-token.ts';
import {
  ENGINE_FOLDER,
  isSpaceError,
  type Side,
  SpaceError,
  type SpaceErrorCode,
} from '../../spaces/space.ts';
import type { HeldBack } from '../plan/guards.ts';
import { VolumeFullError } from '../restore/free-space.ts';
import { confirmCommand } from '../save/confirmations.ts';
import { LeaseHeldError, LeaseLostError } from '../save/lease.ts';
import { DamagedRecordError } from '../save/read-record.ts';
import {
  DesktopStillRunningError,
  MissingFilesError,
  NewerFormatError,
  PartialSaveError,
  ProjectClosedError,
  UnsavedWorkError,
  VolumeNotMountedError,
} from '../sync-errors.ts';
import { isVolumeFull } from '../volume/reserve.ts';

const SPACE_PROBLEMS: Partial<Record<SpaceErrorCode, { code: ProblemCode; text: (side: Side) => string }>> = {
  unreachable: {
    code: 'onedata-unreachable',
    text: (side) =>
      `Onedata does not answer for the ${side} space. This may pass; otherwise check its host name (scipion:onedataHost).`,
  },
  stalled: {
    code: 'onedata-unreachable',
    text: (side) => `The transfer from or to the ${side} space has come to a halt.`,
  },
  unavailable: {
    code: 'onedata-unreachable',
    text: (side) => `Onedata cannot serve the ${side} space at the moment.`,
  },
  'transfer-broken': {
    code: 'onedata-unreachable',
    text: (side) => `Transfers with the ${side} space break off.`,
  },
  'not-mounted': {
    code: 'volume-not-mounted',
    text: (side) =>
      `The volume that shows the ${side} space is not there at the moment. Its driver may mount it again; else the pod has to be restarted.`,
  },
  'listing-incomplete': {
    code: 'onedata-unreachable',
    text: (side) => `The ${side} space cannot be listed completely at the moment.`,
  },
  'odd-entry': {
    code: 'onedata-unreachable',
    text: (side) => `Onedata says things of the ${side} space that cannot be right.`,
  },
  'token-invalid': {
    code: 'token-invalid',
    text: (side) =>
      `Onedata does not accept the token of the ${side} space. Set a valid one (scipion:${side}Token): it is used without a restart.`,
  },
  'token-expired': {
    code: 'token-expired',
    text: (side) =>
      `The token of the ${side} space has expired. Set a new one (scipion:${side}Token): it is used without a restart.`,
  },
  'token-not-permitted': {
    code: 'token-not-permitted',
    text: (side) =>
      side === 'source'
        ? 'The token of the source space may not read it. Set one that may (scipion:sourceToken).'
        : 'The token of the project space may not write to it. Set one that may read and write (scipion:projectToken).',
  },
  'read-only': {
    code: 'token-not-permitted',
    text: (side) => `The storage behind the ${side} space is read-only.`,
  },
  'space-unknown': {
    code: 'space-unknown',
    text: (side) =>
      `Onedata knows no space with the id of the ${side} space, or the token's owner is no member of it. Check scipion:${side}SpaceId and scipion:${side}Token.`,
  },
  'space-not-supported': {
    code: 'space-not-supported',
    text: (side) =>
      `The Onedata host does not support the ${side} space. Set the host of a provider that does (scipion:onedataHost).`,
  },
  'space-full': {
    code: 'space-full',
    text: (side) =>
      `The ${side} space is full, so nothing can be saved. Free room in it (what was removed from the project lies in .scipion-sync/trash for two weeks), or ask for more.`,
  },
};

const SAFE = 'Nothing was deleted; work continues automatically once this has changed.';

/** Pure. The problem that a scientist is told about, from any error of the engine. */
export function toProblem(error: unknown, side: Side, since: string): Problem {
  const detail = error instanceof Error ? error.message : String(error);
  const make = (code: ProblemCode, message: string): Problem => ({ code, space: side, message, since });
  if (error instanceof SwappedTokensError) return make('token-not-permitted', `${detail} ${SAFE}`);
  if (error instanceof SpaceError) {
    const known = SPACE_PROBLEMS[error.code];
    if (isMisplaced(error)) {
      return make(
        'state-damaged',
        `${sentence(detail)} This folder of the ${side} space belongs to this program, which expected something else ` +
          'there. Nothing was changed. Move what is in the way out of that folder',
      );
    }
    if (known !== undefined) return make(known.code, `${known.text(side)} (${detail}) ${SAFE}`);
  }
  if (error instanceof LeaseHeldError || error instanceof LeaseLostError)
    return make('lease-held', `${sentence(detail)} ${SAFE}`);
  if (error instanceof MissingFilesError) {
    const confirm = { what: 'missing', count: error.problems.total } as const;
    return { ...make('files-missing', `${sentence(detail)}`), confirm };
  }
  if (error instanceof PartialSaveError) {
    const confirm = { what: 'unsaved', count: error.problems.total } as const;
    return { ...make('files-unreadable', `${sentence(detail)}`), ...(error.isOfDrain ? { confirm } : {}) };
  }
  if (error instanceof UnsavedWorkError) return make('unsaved-work', `${sentence(detail)}`);
  if (error instanceof VolumeNotMountedError) return make('volume-not-mounted', `${sentence(detail)}`);
  if (error instanceof ProjectClosedError) return make('project-closed', `${sentence(detail)}`);
  if (error instanceof VolumeFullError) {
    return make('volume-full', `${sentence(detail)} Make the ${side} volume larger, or the data smaller.`);
  }
  if (error instanceof DamagedRecordError || error instanceof NewerFormatError)
    return make('state-damaged', `${sentence(detail)}`);
  if (isVolumeFull(error)) {
    return make(
      'volume-full',
      `The ${side} volume is full, so copying has stopped. Free room on it or make it larger. ${SAFE}`,
    );
  }
  return make(
    'internal',
    `Copying the ${side} data failed: ${detail}. It is tried again; ${SAFE.toLowerCase()}`,
  );
}

/** Pure. Removals that wait for a person; null where there are none. */
export function heldBackProblem(heldBack: HeldBack | null, since: string): Problem | null {
  if (heldBack === null) return null;
  const message =
    `Files were removed from the project volume, but not from the project space: ${heldBack.why}. Everything else is saved. ` +
    `If they are meant to go: ${confirmCommand(heldBack.removals)}`;
  const confirm = { what: 'deletions', count: heldBack.removals } as const;
  return { code: 'deletions-guarded', space: 'project', message, since, confirm };
}

/** Whether a new token may be all it takes. */
export function awaitsToken(error: unknown): boolean {
  return isSpaceError(error, 'token-expired', 'token-invalid', 'token-not-permitted');
}

/** Whether a drain or a single command should end with this error instead of trying again. */
export function isFinal(error: unknown): boolean {
  if (error instanceof SpaceError) return error.retry !== 'soon';
  return [
    LeaseHeldError,
    UnsavedWorkError,
    VolumeNotMountedError,
    DamagedRecordError,
    NewerFormatError,
    DesktopStillRunningError,
    PartialSaveError,
    ProjectClosedError,
  ].some((kind) => error instanceof kind);
}

/** Somebody put a directory where a file of the engine belongs, or a file where its directory does. */
function isMisplaced(error: SpaceError): boolean {
  const isOurs = error.path?.startsWith(`${ENGINE_FOLDER}/`) === true || error.path === ENGINE_FOLDER;
  return isOurs && ['is-a-directory', 'not-a-directory', 'exists'].includes(error.code);
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
