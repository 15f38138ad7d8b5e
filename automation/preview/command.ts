import { appendFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { EngineError } from '../recording/protocol.ts';

/** What the commands of jobs share. */

/** A reader that has seen enough, as `head` has, is no failure. */
export function ignoreClosedOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** Markdown for whoever reads the job; on a terminal it is printed. */
export async function writeSummary(markdown: string): Promise<void> {
  const file = process.env.GITHUB_STEP_SUMMARY;
  if (file) await appendFile(file, `${markdown}\n`);
  else process.stdout.write(`${markdown}\n`);
}

/** Expected errors come without a stack. */
export async function runCommand(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(`error: ${error instanceof EngineError ? error.message : (error as Error).stack}\n`);
    process.exitCode = 1;
  }
}
