import { execFile } from 'node:child_process';
import { EngineError } from '../recording/protocol.ts';

/** @throws EngineError when git ends with another code than those of `expected`. */
export function runGit(
  args: readonly string[],
  cwd: string,
  expected: readonly number[] = [0],
): Promise<{ readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    execFile('git', args, { cwd, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      if (expected.includes(code)) resolve({ stdout });
      else
        reject(
          new EngineError(`git ${args[0]} ended with code ${code}: ${stderr.trim() || error?.message}`, {
            cause: error,
          }),
        );
    });
  });
}
