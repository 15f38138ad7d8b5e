import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { ROOT } from '../machine.ts';

test('a command that there is not is refused by its name, with those that there are', async () => {
  const run = await execa(process.execPath, [join(ROOT, 'local/cli/main.ts'), 'nosuch'], { reject: false });
  expect(run.exitCode).toBe(1);
  expect(run.stderr).toContain("error: there is no command 'nosuch'. There are: help, up, status, ");
  expect(run.stderr).not.toContain('too many arguments');
});
