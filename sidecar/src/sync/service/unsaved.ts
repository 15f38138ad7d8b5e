import type { Logger } from 'pino';
import type { ProjectSession } from './project-session.ts';
import type { StatusBoard } from './status-board.ts';

/**
 * Finds out whether something on the volume is not saved, and says so on the board. From then on the watch of the
 * volume says it at each change. Where nothing can be watched it stays unknown.
 */
export async function checkUnsaved(
  board: StatusBoard,
  project: ProjectSession | null,
  log: Logger,
): Promise<void> {
  if (project === null || !board.status().ready) return;
  const seen = board.changes;
  try {
    const found = await project.hasChanges();
    // What has changed meanwhile is on the board already.
    if (board.changes === seen && board.status().ready) board.setSave({ unsavedChanges: found });
  } catch (error) {
    log.warn({ error: (error as Error).message }, 'whether all is saved could not be found out');
  }
}
