import { existsSync } from 'node:fs';
import { lstat, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { meaningOf, NOTHING } from '../meaning/meaning.ts';
import { loadWithoutSecrets, type ProgramSettings } from '../recording/config.ts';
import {
  EngineError,
  manifests,
  type ProgramWorkers,
  type Registration,
  runProgram,
} from '../recording/index.ts';
import { runGit } from './git.ts';
import { placeholdersFor } from './placeholders.ts';
import { changesBetween } from './recorded-changes.ts';
import type { StackReport } from './report.ts';

interface Manifests {
  readonly yaml: string;
  readonly registrations: readonly Registration[];
  readonly resources: number;
  readonly placeholders: readonly string[];
  readonly errors: readonly string[];
}

/** A program that waits for ever is stopped after this many milliseconds; one that is right takes seconds. */
const LONGEST_RUN = 120_000;

export interface PreviewOptions {
  /** Milliseconds that the program may take for one stack. */
  readonly limit?: number;
  /** Shared by the previews of many stacks. */
  readonly workers?: ProgramWorkers;
}

/** The stack's manifests as the program in `directory` makes them, without secrets, credentials or a cluster. */
async function renderStack(
  directory: string,
  stack: string,
  { limit = LONGEST_RUN, workers }: PreviewOptions,
): Promise<Manifests> {
  const signal = AbortSignal.timeout(limit);
  try {
    const given = await loadStack(directory, stack);
    const secretConfig = placeholdersFor(given.config);
    const run = await runProgram({
      directory,
      stack,
      secretConfig,
      dryRun: true,
      signal,
      ...(workers ? { workers } : {}),
    });
    return {
      yaml: manifests(run.registrations),
      registrations: run.registrations,
      resources: run.registrations.filter((registration) => registration.custom).length,
      placeholders: Object.keys(secretConfig),
      errors: run.errors,
    };
  } catch (error) {
    // Whatever one stack does, the others are previewed.
    const message = signal.aborted
      ? `the program was stopped. Found: no end within ${limit / 1000} s. Expected: one within seconds.`
      : (error as Error).message;
    // Where the files are here is nobody's business.
    const told = message.replaceAll(`${resolve(directory)}${sep}`, '');
    const named = error instanceof EngineError ? told : `${fileName(stack)}: ${told}`;
    return { yaml: '', registrations: [], resources: 0, placeholders: [], errors: [named] };
  }
}

/**
 * The stack's configuration without its secrets.
 * @throws EngineError for a file that cannot be read or must not be; any error of a value that contains itself.
 */
export async function loadStack(directory: string, stack: string): Promise<ProgramSettings> {
  await refuseFile(directory, stack);
  return loadWithoutSecrets(directory, stack);
}

const MAX_FILE_BYTES = 2 ** 20;

export const fileName = (stack: string) => `stacks/Pulumi.${stack}.yaml`;

/** @throws EngineError for a file that a change must not make the preview read. */
async function refuseFile(directory: string, stack: string): Promise<void> {
  const name = fileName(stack);
  if (!existsSync(join(directory, 'Pulumi.yaml')))
    throw new EngineError('Found no Pulumi.yaml; expected a checkout of the repository.');
  const target = await realpath(join(directory, name)).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError(`${name} cannot be read: found ${cause.code}; expected a file.`, { cause });
  });
  if (!target.startsWith((await realpath(directory)) + sep))
    throw new EngineError(`${name}: found a link out of the repository; expected a file.`);
  const { size } = await stat(target);
  if (size > MAX_FILE_BYTES)
    throw new EngineError(`${name}: found ${size} bytes; expected ${MAX_FILE_BYTES} at most.`);
}

/** What a report takes. */
const MAX_MEANINGS = 30;
const MAX_MEANING = 1000;

/** Previews one stack of the change in `head`, against the program and stack file in `base` where that is given. */
export async function previewStack(
  stack: string,
  head: string,
  base: string | undefined,
  options: PreviewOptions = {},
): Promise<StackReport> {
  const after = await renderStack(head, stack, options);
  const facts = { stack, resources: after.resources, placeholders: [...after.placeholders] };
  if (after.errors.length > 0) return { ...facts, state: 'failed', text: after.errors.join('\n\n') };
  if (base === undefined || (await isNewAgainst(base, stack)))
    return { ...facts, state: 'new', text: after.yaml };
  const before = await renderStack(base, stack, options);
  if (before.errors.length > 0) {
    return { ...facts, state: 'uncompared', text: after.yaml, baseErrors: before.errors.join('\n\n') };
  }
  const diff = await diffTexts(before.yaml, after.yaml);
  const changes = changesBetween(before.registrations, after.registrations);
  if (diff === '' && changes.length === 0) return { ...facts, state: 'unchanged', text: diff };
  const meaning = meaningOf(changes);
  const [gravest] = meaning;
  const words = meaning.slice(0, MAX_MEANINGS).map(({ text }) => text.slice(0, MAX_MEANING));
  return {
    ...facts,
    state: gravest?.change === 'refused' ? 'refused' : 'changed',
    text: diff,
    meaning: words.length > 0 ? words : [NOTHING],
    ...(gravest === undefined ? {} : { gravest: gravest.change }),
  };
}

/** A base without its Pulumi.yaml was not read at all, and says nothing of what is new. */
async function isNewAgainst(base: string, stack: string): Promise<boolean> {
  if (!existsSync(join(base, 'Pulumi.yaml'))) return false;
  const entry = await lstat(join(base, fileName(stack))).catch(() => undefined);
  return entry === undefined;
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
