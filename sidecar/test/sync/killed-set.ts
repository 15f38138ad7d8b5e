import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

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
