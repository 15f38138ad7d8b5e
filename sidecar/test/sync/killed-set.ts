import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { type ReadOnlySpace, readAll } from '../../src/spaces/space.ts';

export const MODES = ['DELETE', 'WAL'] as const;
export type Mode = (typeof MODES)[number];
export const SIDE: Readonly<Record<Mode, string>> = { DELETE: '-journal', WAL: '-wal' };
/** Rows that are committed after each killed writer. */
export const ROWS = 400;

/** A writer that is killed in the middle leaves its side file beside `file`. */
export async function killWriter(file: string, mode: Mode): Promise<void> {
  const program = new URL('./killed-writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, file, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  if (!existsSync(file + SIDE[mode])) throw new Error(`the killed writer left no ${SIDE[mode]}`);
}

/** Opened as Scipion opens it: with whatever lies beside it. */
export function rowsOf(file: string): number {
  const database = new DatabaseSync(file);
  try {
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    return Number((database.prepare('SELECT count(*) AS n FROM Objects').get() as { n: number }).n);
  } finally {
    database.close();
  }
}

/** Of a database alone, as the space has it. */
export async function rowsInSpace(space: ReadOnlySpace, path: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'database-'));
  try {
    const copy = join(folder, 'copy');
    writeFileSync(copy, await readAll(space, { path }, 1 << 28));
    return rowsOf(copy);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
