import type { FileProblemCode, ProblemCode, Warning } from '../../../contract/status.ts';

/** What stands behind each code, for the reference in docs/problems.md. A code without its note does not compile. */

export interface Note {
  readonly cause: string;
  /** What has become of the work. */
  readonly work: string;
  readonly remedy: string;
}

const ON_THE_VOLUME =
  'Safe: what is not saved yet stays on the project volume, and is saved when this has changed.';
const UNTOUCHED = 'Safe: nothing was changed, neither on the volume nor in the space.';
const OTHERS_SAVED =
  'Everything else is saved. Of the files named, the last saved version stays in the space.';

export const PROBLEM_NOTES: Record<ProblemCode, Note> = {
  'onedata-unreachable': {
    cause:
      'The provider does not answer, breaks off, or cannot serve the space: a network, a certificate, a name, a proxy, or Onedata itself.',
    work: ON_THE_VOLUME,
    remedy:
      'Nothing, if it passes: it is tried again every minute at most. Else compare `onedataHost`, `onedataCertificateAuthorities`, and the networks that the instance may reach (`onedataNetworks`), and ask the site of the provider.',
  },
  'token-invalid': {
    cause: 'The token was revoked, is of another kind or zone, or is no token.',
    work: ON_THE_VOLUME,
    remedy: 'Make an access token in the zone of the provider and set it. No restart is needed.',
  },
  'token-expired': {
    cause: 'The time that the token was made for is over.',
    work: ON_THE_VOLUME,
    remedy: 'Make a new access token and set it. No restart is needed.',
  },
  'token-not-permitted': {
    cause:
      'The token is good, but not for this: it may only read, is confined to other paths or interfaces, the two tokens are swapped, or the storage of the space can only be read.',
    work: ON_THE_VOLUME,
    remedy:
      'Make a token that may do what the sentence names: read the source space, read and write the project space.',
  },
  'space-unknown': {
    cause:
      "The id is not one of a space that the token's owner is a member of. Often it is the name in place of the id.",
    work: ON_THE_VOLUME,
    remedy:
      'Compare `sourceSpaceId` or `projectSpaceId` with the id in the web page of Onedata, or change the token.',
  },
  'space-not-supported': {
    cause: 'The space exists, and the provider that is set does not hold it.',
    work: ON_THE_VOLUME,
    remedy: 'Set `onedataHost` to a provider that supports the space.',
  },
  'volume-full': {
    cause: 'The volume has no room for what is to be copied to it.',
    work: 'Safe: nothing was removed. Room for saving is kept in reserve.',
    remedy:
      'Remove what is not needed, or raise `sourceVolumeSize` or `projectVolumeSize`; volumes grow where the storage class can.',
  },
  'space-full': {
    cause: 'The project space has no room or no quota left.',
    work: ON_THE_VOLUME,
    remedy:
      'Ask for more quota, or free room: what saves replaced lies in `.scipion-sync/trash` of the space and is shortened first (`keep…` keys).',
  },
  'lease-held': {
    cause:
      'Another instance writes the same project space, or one died less than three minutes ago without giving its lease up.',
    work: ON_THE_VOLUME,
    remedy:
      'Remove the other instance or set another `projectSpaceId`. If it is certain that it no longer runs: `sync lease --take-over`.',
  },
  'unsaved-work': {
    cause:
      'The volume holds work that is in no save, and the space has a newer save of another instance, or is another space.',
    work: UNTOUCHED,
    remedy:
      'The sentence names the choice: `sync confirm merge` brings both together, with conflict names where they differ.',
  },
  'deletions-guarded': {
    cause: 'Many files are gone from the volume at once, which may be an accident.',
    work: 'Safe: everything else is saved, and nothing was removed from the space.',
    remedy:
      'If they are meant to go, confirm the number that is named (`sync confirm deletions N`, or the button of the page). Else bring them back: `sync restore`.',
  },
  'files-unreadable': {
    cause: 'Single files cannot be read or saved; each is named with a code of the table below.',
    work: OTHERS_SAVED,
    remedy: 'Do what stands with each file. Each save tries them again.',
  },
  'files-missing': {
    cause:
      'Single files of the project cannot be restored from the space; each is named with a code of the table below.',
    work: 'The files stay in the space as they are, and no save takes them for removed.',
    remedy:
      'Wait, if the space or its storage is being repaired; or open the desktop without them: `sync confirm missing N`.',
  },
  'project-closed': {
    cause: 'The rights on the folder that all of the project lies in keep this program out.',
    work: 'What was saved is in the space, and nothing counts as removed. Work since then is on the volume alone.',
    remedy:
      'Open the folder: `chmod u+rwx ~/ScipionUserData/projects` in a terminal of the desktop. The next start does it by itself where the folder is its own.',
  },
  'volume-not-mounted': {
    cause: 'Where a volume should be there is another folder, or the mount has gone stale.',
    work: 'Safe: nothing was read or written there, and a missing volume is never taken for removed files.',
    remedy:
      'Look at the pod and its claims (`kubectl describe pod scipion-0`). A stale mount needs a restart of the pod.',
  },
  'state-damaged': {
    cause:
      'Files of this program in the space are damaged, misplaced, or written by a newer version of it, as may be its state on a volume; or a check found that the space no longer holds what was saved.',
    work: 'Safe: nothing was changed. What is on the volume is not touched.',
    remedy: 'As the sentence says: use the newer version, move away what is in the way, or `sync repair`.',
  },
  internal: {
    cause: 'Something that this program does not expect.',
    work: 'Safe: nothing was deleted, and it is tried again.',
    remedy:
      'If it stays, report it with the log of the container (`kubectl logs scipion-0 --container sync`), which holds no token.',
  },
};

export const FILE_NOTES: Record<FileProblemCode, string> = {
  sending: 'It is so large that it comes over several saves.',
  'no-access':
    'The rights on it keep this program out, on the volume or in the space. A log or journal of a database is not to be removed: newest rows may be in it alone.',
  'disk-fault': 'The disk of the volume fails at it.',
  'space-fault': 'Onedata fails at it and serves others.',
  changing: 'It keeps changing while it is being read.',
  'database-locked': 'Another program has locked it.',
  'put-away':
    'A save that was decided could not be completed, since too little was left of it in the space; the save before it counts.',
  'name-too-long': 'Name or path are longer than the system allows.',
  'in-the-way': 'Something else is at its place.',
  'no-room': 'It, or the copy that a database needs to be saved, has no room on the volume.',
  'not-in-space': 'The space lists it and does not give its content.',
  damaged: 'Its content is not what its checksum says.',
  'not-possible': 'Neither side can hold something about it.',
};

export const WARNING_NOTES: Record<Warning['code'], string> = {
  'token-advice': 'The token works and can do more than it needs to, e.g. write the source space.',
  'token-expires-soon': 'The token ends within two days. A new one is used without a restart.',
  'space-repaired':
    'Something of this program in the space was damaged, and was brought back from its copies.',
  'files-removed':
    'The project space lacks most files of the last save, or some after a save that could not be completed, so a new volume does not have them.',
  'trash-shortened': 'The project space is full, so older versions were removed before their time.',
  'settings-refused':
    'The configuration was changed under the running instance to one that cannot be used; the settings before stay in use.',
  'jobs-awaited':
    'The instance is being removed or paused and waits, at most until this time, for jobs to end (`scipion:jobsAtRemoval`). No new job is taken; then everything is saved.',
  'pauses-soon':
    'Whoever looks after the instance saves and pauses it at this time: it is not in use, or its time ends. Nothing is removed.',
};
