import { createInterface } from 'node:readline';
import { execa } from 'execa';
import PQueue from 'p-queue';
import { cacheDirectory } from './cache.ts';
import { lockMaking } from './folder-lock.ts';
import type { Report } from './progress.ts';

/** Programs built from Go modules. Only this machine runs them, and people wait for the build. */

/** Without optimisation and debug information: these programs mostly wait. */
export const GO_FLAGS = ['-trimpath', '-buildvcs=false', '-gcflags=all=-N -l -dwarf=false'] as const;
const ENVIRONMENT = { CGO_ENABLED: '0', GOGC: '800', GOFLAGS: '-mod=readonly' };

export interface GoRun {
  /** Folder of go.mod. */
  readonly directory: string;
  /** What is being built, for the error. */
  readonly what: string;
  /** Each line of standard error. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs the go command and answers its standard output.
 * @throws Error with the last lines it said and what it needs
 */
export async function go(
  args: readonly string[],
  { directory, what, onLine, signal }: GoRun,
): Promise<string> {
  const child = execa('go', args, {
    cwd: directory,
    env: ENVIRONMENT,
    reject: false,
    buffer: true,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  const lines: string[] = [];
  if (child.stderr) {
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      onLine?.(line);
    });
  }
  const result = await child;
  if (result.exitCode === 0) return result.stdout;
  const said = lines.length > 0 ? lines.slice(-12).join('\n') : result.shortMessage;
  throw new Error(
    `go ${args[0]} failed for ${what}. It needs Go 1.26 or newer, its module proxy (go env GOPROXY) and some GB of free disk. It said:\n${said}`,
  );
}

/**
 * One build at a time: the modules name the same versions of what they share, half of the largest, and Go keeps what it has
 * compiled. Two at once would compile it twice.
 */
const builds = new PQueue({ concurrency: 1 });

/**
 * `go build -v` with these arguments, when no other build runs, of this process or of another one of this user.
 * @param priority of those of this process that wait, the highest goes first
 */
export function goBuild(args: readonly string[], run: GoRun, priority: number): Promise<string> {
  const { signal } = run;
  const build = async () => {
    const unlock = await lockMaking(cacheDirectory('go', 'builds'), () => {}, signal);
    try {
      return await go(['build', '-v', ...GO_FLAGS, ...args], run);
    } finally {
      await unlock?.();
    }
  };
  return builds.add(build, { priority, ...(signal ? { signal } : {}) });
}

/** How many packages are compiled for these, all they import included. Fetches their modules. */
export async function countPackages(packages: readonly (readonly string[])[], run: GoRun): Promise<number> {
  const lists = await Promise.all(packages.map((names) => go(['list', '-deps', ...names], run)));
  return new Set(lists.flatMap((list) => list.trim().split('\n'))).size;
}

/** Tells every 20 Go modules how many have been fetched; the go command prints a line for each. */
export function countingDownloads(what: string, report: Report): (line: string) => void {
  let count = 0;
  return (line) => {
    if (!line.startsWith('go: downloading ')) return;
    count += 1;
    if (count % 20 === 0) report(`fetching the Go modules of ${what}: ${count} so far`);
  };
}

/**
 * Tells every 50 packages how many of `total` are compiled; `go build -v` prints a line for each. It may end early: what
 * another build has compiled is not compiled again, and Go tells only then which that is.
 */
export function countingProgress(what: string, total: number, report: Report): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count % 50 === 0) report(`compiling ${what}: ${Math.min(count, total)} of at most ${total} packages`);
  };
}
