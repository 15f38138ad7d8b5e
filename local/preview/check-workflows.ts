#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../cache.ts';

/** Lints .github/workflows with actionlint, which Go builds once for this version and the cache keeps. */
export const ACTIONLINT = 'v1.7.12';

/** Path of the program; builds it where the cache lacks it. @throws Error when Go is missing or the build fails. */
export async function actionlint(): Promise<string> {
  const directory = cacheDirectory('actionlint', ACTIONLINT);
  const path = join(directory, 'actionlint');
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true });
  const build = spawnSync('go', ['install', `github.com/rhysd/actionlint/cmd/actionlint@${ACTIONLINT}`], {
    env: { ...process.env, GOBIN: directory, GOFLAGS: '', CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  if (build.error || build.status !== 0) {
    const why = build.error ? 'Go was not found' : build.stderr.trim();
    throw new Error(
      `actionlint ${ACTIONLINT} could not be built: ${why}. Expected: Go ≥ 1.24 and its module proxy.`,
    );
  }
  return path;
}

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
  const result = spawnSync(await actionlint(), ['-no-color', '-shellcheck=', '-pyflakes=', ...files], {
    cwd: root,
    encoding: 'utf8',
  });
  return { files, isClean: result.status === 0, output: `${result.stdout}${result.stderr}` };
}

if (import.meta.main) {
  const { files, isClean, output } = await lintWorkflows('.');
  process.stdout.write(output);
  process.stdout.write(
    `actionlint ${ACTIONLINT}: ${files.length} workflows, ${isClean ? 'no problem' : 'problems above'}\n`,
  );
  if (!isClean) process.exitCode = 1;
}
