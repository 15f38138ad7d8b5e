#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { goTool } from './go-tools.ts';

/** Lints .github/workflows with actionlint, which Go builds once for this version and the cache keeps. */
const ACTIONLINT = {
  name: 'actionlint',
  version: 'v1.7.12',
  source: 'github.com/rhysd/actionlint/cmd/actionlint',
};

export interface LintResult {
  readonly files: readonly string[];
  readonly isClean: boolean;
  readonly output: string;
}

/** Lints all workflows of the repository. Shell and Python checkers are left out: not every machine has them. */
export async function lintWorkflows(root: string): Promise<LintResult> {
  const folder = join(root, '.github', 'workflows');
  const files = (await readdir(folder))
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => join(folder, name));
  const result = spawnSync(await goTool(ACTIONLINT), ['-no-color', '-shellcheck=', '-pyflakes=', ...files], {
    cwd: root,
    encoding: 'utf8',
  });
  return { files, isClean: result.status === 0, output: `${result.stdout}${result.stderr}` };
}

if (import.meta.main) {
  const { files, isClean, output } = await lintWorkflows('.');
  process.stdout.write(output);
  process.stdout.write(
    `actionlint ${ACTIONLINT.version}: ${files.length} workflows, ${isClean ? 'no problem' : 'problems above'}\n`,
  );
  if (!isClean) process.exitCode = 1;
}
