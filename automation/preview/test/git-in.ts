import { execFileSync } from 'node:child_process';

/** git as somebody in a folder of a test. @returns what it said */
export const gitIn =
  (directory: string) =>
  (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
      cwd: directory,
      encoding: 'utf8',
    }).trim();
