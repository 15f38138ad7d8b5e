const EXAMPLES = 3;

/** Counts what a save had to leave out, and names a few of those that will not be readable at the next one either. */
export class Unread {
  count = 0;
  readonly closed: string[] = [];

  /** @param error what came of reading it */
  note(path: string, error: unknown): void {
    this.count += 1;
    if (isClosed(error) && this.closed.length < EXAMPLES) this.closed.push(path);
  }
}

/** The rights on a file or directory keep this program out. */
export function isClosed(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}
