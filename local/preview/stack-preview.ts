import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../automation/recording/config.ts';
import { EngineError, manifests, runProgram } from '../../automation/recording/index.ts';
import { placeholdersFor } from './placeholders.ts';
import type { StackReport } from './report.ts';

interface Manifests {
  readonly yaml: string;
  readonly resources: number;
  readonly placeholders: readonly string[];
  readonly errors: readonly string[];
}

/** The stack's manifests as the program in `directory` makes them, without secrets, credentials or a cluster. */
async function renderStack(directory: string, stack: string): Promise<Manifests> {
  try {
    const given = await loadConfig({
      directory,
      stack,
      config: {},
      secretConfig: {},
      stackFile: true,
      undecryptable: 'placeholder',
    });
    const secretConfig = placeholdersFor(given.config);
    const run = await runProgram({ directory, stack, secretConfig, dryRun: true });
    return {
      yaml: manifests(run.registrations),
      resources: run.registrations.filter((registration) => registration.custom).length,
      placeholders: Object.keys(secretConfig),
      errors: run.errors,
    };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { yaml: '', resources: 0, placeholders: [], errors: [error.message] };
  }
}

/** Previews one stack of the change in `head`, against the program and stack file in `base` where that is given. */
export async function previewStack(
  stack: string,
  head: string,
  base: string | undefined,
): Promise<StackReport> {
  const after = await renderStack(head, stack);
  const facts = { stack, resources: after.resources, placeholders: [...after.placeholders] };
  if (after.errors.length > 0) return { ...facts, state: 'failed', text: after.errors.join('\n\n') };
  const isNew = base === undefined || !existsSync(join(base, 'stacks', `Pulumi.${stack}.yaml`));
  if (isNew) return { ...facts, state: 'new', text: after.yaml };
  const before = await renderStack(base, stack);
  // A base that cannot be rendered (by this engine) has nothing to compare with.
  if (before.errors.length > 0) return { ...facts, state: 'new', text: after.yaml };
  const diff = await diffTexts(before.yaml, after.yaml);
  return { ...facts, state: diff === '' ? 'unchanged' : 'changed', text: diff };
}

/** Unified diff by git; empty when both are the same. */
export async function diffTexts(before: string, after: string): Promise<string> {
  if (before === after) return '';
  const directory = await mkdtemp(join(tmpdir(), 'stack-preview-'));
  try {
    await Promise.all([
      writeFile(join(directory, 'base.yaml'), before),
      writeFile(join(directory, 'change.yaml'), after),
    ]);
    const { stdout } = await runGit(
      ['diff', '--no-index', '--no-color', '--no-ext-diff', '--', 'base.yaml', 'change.yaml'],
      directory,
      [0, 1],
    );
    // The first lines name the two temporary files.
    return stdout.slice(stdout.indexOf('@@'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

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
        reject(new EngineError(`git ${args[0]} ended with code ${code}: ${stderr.trim()}`, { cause: error }));
    });
  });
}
