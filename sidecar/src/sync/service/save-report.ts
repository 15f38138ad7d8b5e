import { isPassing } from '../file-failures.ts';
import type { SaveResult } from '../save/save.ts';
import { PartialSaveError } from '../sync-errors.ts';
import { heldBackProblem, toProblem } from './problems.ts';
import type { StatusBoard } from './status-board.ts';

export interface SaveFacts {
  /** ms since 1970. */
  readonly began: number;
  readonly ended: number;
  /** Time of the last complete save. */
  readonly savedAt: string | null;
  /** Changes that the board had counted when the save began. */
  readonly seen: number;
  /** No change since then can have been missed. */
  readonly isSure: boolean;
}

/** Puts on the board what came of a save. */
export function tellSaved(
  board: StatusBoard,
  result: SaveResult,
  { began, ended, savedAt, seen, isSure }: SaveFacts,
): void {
  const since = new Date(began).toISOString();
  const isFault = result.fileProblems.items.some(({ code }) => !isPassing(code));
  const partial = isFault ? new PartialSaveError(result.fileProblems) : null;
  board.clear('project');
  if (result.notices !== undefined) board.addNotices(result.notices);
  board.warn(heldBackProblem(result.heldBack, since), 'deletions');
  board.warn(partial === null ? null : toProblem(partial, 'project', since), 'unreadable');
  board.setFileProblems('project', 'save', result.fileProblems);
  if (result.trashFreed !== undefined) {
    board.advise({
      code: 'trash-shortened',
      space: 'project',
      message:
        `The project space is full, so the replaced versions of ${result.trashFreed} older saves were removed from its ` +
        'trash before their time. Free room in the space, or ask for more.',
    });
  }
  board.setSave({
    lastSavedAt: result.skipped === 0 ? since : savedAt,
    generation: result.generation,
    unsavedChanges: result.skipped > 0 || board.changes !== seen ? true : isSure ? false : null,
    lastError: null,
    ...(result.saved ? { lastSaveDurationSeconds: (ended - began) / 1000 } : {}),
  });
}
