import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory, cacheKey } from '../../../../automation/tools/cache.ts';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 240_000;

/** A Python with these packages, made once and kept; or the reason why there is none on this machine. */
export async function pythonWith(
  requirementsFile: string,
): Promise<{ python: string } | { python: null; reason: string }> {
  let version: string;
  try {
    version = (await run('python3', ['--version'])).stdout.trim();
  } catch {
    return { python: null, reason: 'there is no python3 on this machine' };
  }
  const directory = cacheDirectory('python', cacheKey(version, await readFile(requirementsFile)));
  const python = join(directory, 'bin/python');
  const finished = join(directory, 'finished');
  if (existsSync(finished)) return { python };
  try {
    await rm(directory, { recursive: true, force: true });
    await mkdir(dirname(directory), { recursive: true });
    await run('python3', ['-m', 'venv', directory]);
    const arguments_ = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      requirementsFile,
    ];
    await run(python, arguments_, { timeout: INSTALL_TIMEOUT_MS });
    await mkdir(finished);
    return { python };
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const last = stderr.trim().split('\n').at(-1) || message;
    return { python: null, reason: `the official clients cannot be installed from PyPI: ${last}` };
  }
}
