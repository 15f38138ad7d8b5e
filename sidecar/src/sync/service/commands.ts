import { setTimeout as sleep } from 'node:timers/promises';
import type { Activity, Notice } from '../../../contract/activity.ts';
import { EXIT_CODES } from '../../../contract/exit-codes.ts';
import { type JobsAtEnd, REFUSE_JOBS } from '../../../contract/jobs.ts';
import {
  type FileProblems,
  type SyncStatus,
  syncStatusSchema,
  type Transfer,
} from '../../../contract/status.ts';
import type { HeldBack } from '../plan/guards.ts';
import { bytesText } from '../restore/free-space.ts';
import type { RepairResult } from '../restore/repair.ts';
import type { FolderRestoreResult } from '../restore/restore-to-folder.ts';
import type { TrashItem } from '../restore/trash-content.ts';
import type { Verification } from '../restore/verify.ts';
import { type Confirmation, confirmCommand } from '../save/confirmations.ts';
import type { LeaseRecord } from '../save/lease.ts';
import type { SavesList } from '../save/saves-list.ts';
import { ask, RefusedError, UnreachableError } from './api-client.ts';

/** The commands that talk to the running `sync`. Each prints to `out` and returns the exit code of the process. */
export interface CommandContext {
  readonly socket: string;
  /** The outcome, and nothing else, goes to `out` as one line of JSON. */
  readonly json?: boolean;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

const PROBLEM_EXIT_CODES: Record<string, number> = {
  'space-unknown': EXIT_CODES.spaceMissing,
  'space-not-supported': EXIT_CODES.spaceMissing,
  'lease-held': EXIT_CODES.leaseHeld,
  'token-invalid': EXIT_CODES.notPermitted,
  'token-expired': EXIT_CODES.notPermitted,
  'token-not-permitted': EXIT_CODES.notPermitted,
  'deletions-guarded': EXIT_CODES.guarded,
  'unsaved-work': EXIT_CODES.guarded,
  'files-unreadable': EXIT_CODES.partial,
  'files-missing': EXIT_CODES.partial,
  'project-closed': EXIT_CODES.partial,
};

/** Runs a command; expected errors become one line and an exit code. */
export async function guarded(context: CommandContext, command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    context.err((error as Error).message);
    if (error instanceof UnreachableError) return EXIT_CODES.unreachable;
    if (error instanceof RefusedError) return PROBLEM_EXIT_CODES[error.code] ?? EXIT_CODES.failed;
    return EXIT_CODES.failed;
  }
}

/** Prints the outcome for a program, or the lines for a person. */
function print(context: CommandContext, outcome: unknown, lines: readonly string[]): void {
  for (const line of context.json === true ? [JSON.stringify(outcome)] : lines) context.out(line);
}

export async function status(context: CommandContext): Promise<number> {
  const found = await readStatus(context.socket);
  print(context, found, describe(found));
  return EXIT_CODES.done;
}

export async function saveNow(context: CommandContext): Promise<number> {
  const result = (await ask(context.socket, 'POST', '/v1/save?wait=true')) as {
    saved: boolean;
    generation: number;
    changes: number;
    skipped: number;
    fileProblems: FileProblems;
    heldBack: HeldBack | null;
  };
  print(context, result, [
    result.saved
      ? `saved ${result.changes} changes as save ${result.generation}`
      : `nothing to save since save ${result.generation}`,
  ]);
  if (result.heldBack !== null) {
    const { removals, why } = result.heldBack;
    context.err(`removals were held back: ${why}. To let them happen: ${confirmCommand(removals)}`);
    return EXIT_CODES.guarded;
  }
  if (result.skipped === 0) return EXIT_CODES.done;
  for (const line of fileLines(result.fileProblems)) context.err(line);
  return EXIT_CODES.partial;
}

/** Nobody writes any more but the desktop, which a pause ends next. */
export async function closeJobs(context: CommandContext, jobs: JobsAtEnd): Promise<number> {
  const seconds = jobs.waitSeconds + 120;
  const answer = ask(context.socket, 'POST', '/v1/close-jobs', { jobs });
  if (!(await follow(context, answer, seconds))) {
    context.err(`whether jobs still write is not known after ${seconds} s. Run the command again`);
    return EXIT_CODES.failed;
  }
  // A refusal is thrown here.
  await answer;
  print(context, { isClosed: true }, ['no job is left, and none is taken']);
  return EXIT_CODES.done;
}

export async function drain(
  context: CommandContext,
  timeoutSeconds: number,
  jobs: JobsAtEnd = REFUSE_JOBS,
): Promise<number> {
  const answer = ask(context.socket, 'POST', '/v1/drain', { jobs });
  if (!(await follow(context, answer, timeoutSeconds))) {
    context.err(
      `the final save is not complete after ${timeoutSeconds} s; it continues. Run the command again to wait for it`,
    );
    return EXIT_CODES.failed;
  }
  let status: SyncStatus;
  try {
    status = syncStatusSchema.parse(await answer);
  } catch (error) {
    if (error instanceof RefusedError && error.code === 'files-unreadable') {
      const left = await readStatus(context.socket);
      print(context, left, fileLines(left.fileProblems));
    }
    throw error;
  }
  const isHeldBack = status.problems.some(({ code }) => code === 'deletions-guarded');
  const left = status.fileProblems?.items.filter(({ during }) => during === 'save').length ?? 0;
  print(context, status, [
    ...(isHeldBack
      ? ['files that were removed here stay in the project space, as their removal was not confirmed']
      : []),
    ...fileLines(status.fileProblems),
    `everything ${left === 0 ? '' : `but what was agreed to be left (${left}) `}is saved (save ${status.save.generation}); the instance stays closed`,
  ]);
  return EXIT_CODES.done;
}

/**
 * Prints a line whenever something has changed, at least every few seconds, so that nobody takes it for dead.
 * @returns whether the answer came in time, whatever it is
 */
async function follow(
  context: CommandContext,
  asked: Promise<unknown>,
  timeoutSeconds: number,
): Promise<boolean> {
  let finished = false;
  const answer = asked.finally(() => {
    finished = true;
  });
  // The caller awaits it; until then its failure is nobody's.
  answer.catch(() => undefined);
  const until = performance.now() + timeoutSeconds * 1000;
  let last = '';
  let lastAt = 0;
  while (!finished) {
    if (performance.now() > until) return false;
    const line = await readStatus(context.socket).then(progressLine, () => last);
    if (context.json !== true && (line !== last || performance.now() - lastAt > 5_000)) {
      context.out(line);
      [last, lastAt] = [line, performance.now()];
    }
    await Promise.race([answer.catch(() => undefined), sleep(500)]);
  }
  return true;
}

export async function plan(context: CommandContext): Promise<number> {
  const found = (await ask(context.socket, 'GET', '/v1/plan')) as {
    summary: { actions: Record<string, { count: number; bytes: number }> };
    items: { path: string; action: string }[];
    more: boolean;
    fileProblems: FileProblems;
  };
  const parts = Object.entries(found.summary.actions).map(
    ([action, { count, bytes }]) => `${action}: ${count} (${bytesText(bytes)})`,
  );
  print(context, found, [
    ...found.items.map((item) => `${item.action.padEnd(14)} ${item.path}`),
    ...(found.more ? ['…'] : []),
    parts.length === 0 ? 'nothing to do' : parts.join(', '),
    ...fileLines(found.fileProblems),
  ]);
  return EXIT_CODES.done;
}

export async function refreshSource(context: CommandContext): Promise<number> {
  const found = (await ask(context.socket, 'POST', '/v1/refresh-source')) as Transfer;
  print(context, found, [
    `the source volume is up to date: ${found.filesDone} files, ${bytesText(found.bytesDone)} copied`,
  ]);
  return EXIT_CODES.done;
}

export async function lease(context: CommandContext, takeOver: boolean): Promise<number> {
  if (takeOver) {
    await ask(context.socket, 'POST', '/v1/confirm', { what: 'takeOver' });
    print(context, { takeOver: true }, ['the lease is taken over at the next attempt']);
    return EXIT_CODES.done;
  }
  const found = (await ask(context.socket, 'GET', '/v1/lease')) as Partial<LeaseRecord>;
  const { holder, since, heartbeatAt, released } = found;
  const held = `${holder} since ${since}, last heartbeat ${heartbeatAt}`;
  print(context, found, [
    holder === undefined || released === true ? 'no instance writes to the project space' : held,
  ]);
  return EXIT_CODES.done;
}

export async function saves(context: CommandContext): Promise<number> {
  const found = (await ask(context.socket, 'GET', '/v1/saves')) as SavesList;
  const lines = found.saves.map(({ id, generation, at, changes, onlyBytes }) =>
    [
      at,
      String(generation).padStart(6),
      `${changes ?? '?'} changes`.padStart(16),
      `only here ${bytesText(onlyBytes)}`.padStart(22),
      id,
    ].join('  '),
  );
  print(context, found, [
    ...lines,
    found.saves.length === 0
      ? 'nothing was saved yet'
      : `older versions take ${bytesText(found.olderBytes)} of the project space`,
  ]);
  return EXIT_CODES.done;
}

export async function restore(
  context: CommandContext,
  { path, to, of }: { path?: string; to?: string; of?: string },
): Promise<number> {
  const options = { ...(to === undefined ? {} : { to }), ...(of === undefined ? {} : { of }) };
  const body = { path: path ?? '', ...options };
  const found = (await ask(context.socket, 'POST', '/v1/restore', body)) as FolderRestoreResult;
  print(context, found, [
    `copied ${found.files} files, ${bytesText(found.bytes)}, of save ${found.generation} to ${found.to}`,
  ]);
  return missingText(context, found.missing, found.skipped);
}

/** Names a few of those that the space does not have any more as they were. */
function missingText(context: CommandContext, missing: readonly string[], count = missing.length): number {
  if (count === 0) return EXIT_CODES.done;
  const names = missing.slice(0, 3).map((path) => JSON.stringify(path));
  context.err(
    `${count} files are not in the space any more as they were: ${names.join(', ')}${count > names.length ? ' and others' : ''}`,
  );
  return EXIT_CODES.partial;
}

export async function trash(
  context: CommandContext,
  { restore: path, of }: { restore?: string; of?: string },
): Promise<number> {
  if (path === undefined) {
    const found = (await ask(context.socket, 'GET', '/v1/trash')) as { items: TrashItem[]; more: boolean };
    const lines = found.items.map(
      (item) =>
        `${item.at}  ${item.why.padEnd(8)}  ${bytesText(item.bytes).padStart(10)}  ${item.path}  ${item.of}`,
    );
    print(context, found, [
      ...lines,
      ...(found.more ? ['…'] : []),
      ...(lines.length === 0 ? ['the trash is empty'] : []),
    ]);
    return EXIT_CODES.done;
  }
  const body = { path, ...(of === undefined ? {} : { of }) };
  const found = (await ask(context.socket, 'POST', '/v1/trash', body)) as {
    restored: string[];
    missing: string[];
  };
  print(
    context,
    found,
    found.restored.map((each) => `brought back ${each}`),
  );
  return missingText(context, found.missing);
}

/** Prints how far it is every few seconds. */
export async function verify(context: CommandContext, { rate }: { rate?: number }): Promise<number> {
  let finished = false;
  const answer = ask(
    context.socket,
    'POST',
    '/v1/verify',
    rate === undefined ? {} : { bytesPerSecond: rate },
  );
  const checking = answer.finally(() => {
    finished = true;
  });
  checking.catch(() => undefined);
  while (!finished) {
    await Promise.race([checking.catch(() => undefined), sleep(PROGRESS_MS)]);
    if (finished || context.json === true) continue;
    const now = (await ask(context.socket, 'GET', '/v1/verify')) as Partial<Verification>;
    context.out(
      `checked ${now.filesDone ?? 0} files, ${bytesText(now.bytesDone ?? 0)}; found ${now.found ?? 0}`,
    );
  }
  const found = (await checking) as Verification;
  print(context, found, [
    ...found.findings.map(({ kind, path, what }) => `${kind.padEnd(10)} ${path} ${what}`),
    ...(found.found > found.findings.length ? [`… and ${found.found - found.findings.length} more`] : []),
    ...(found.changedElsewhere > 0
      ? [`${found.changedElsewhere} files were changed by others since they were saved`]
      : []),
    found.found === 0
      ? `the space holds all ${found.filesDone} files, ${bytesText(found.bytesDone)}, as they were saved`
      : `${found.found} things are not as they were saved. To mend what can be mended: sync repair`,
  ]);
  return found.found === 0 ? EXIT_CODES.done : EXIT_CODES.damaged;
}

export async function repair(context: CommandContext): Promise<number> {
  const { done, left } = (await ask(context.socket, 'POST', '/v1/repair')) as RepairResult;
  print(context, { done, left }, [
    ...done.map((each) => `mended  ${each}`),
    ...left.map((each) => `left    ${each}`),
    ...(done.length + left.length === 0 ? ['there was nothing to mend'] : []),
  ]);
  return left.length === 0 ? EXIT_CODES.done : EXIT_CODES.damaged;
}

/** What the pages of the instance say of an end that somebody else has decided. */
export async function announce(context: CommandContext, notice: Notice | null): Promise<number> {
  await ask(context.socket, 'POST', '/v1/notice', notice === null ? undefined : { ...notice });
  print(context, { notice }, [notice === null ? 'nothing is announced' : `announced for ${notice.at}`]);
  return EXIT_CODES.done;
}

const PROGRESS_MS = 5_000;

export async function confirm(context: CommandContext, given: Confirmation): Promise<number> {
  await ask(context.socket, 'POST', '/v1/confirm', given);
  const count = 'count' in given ? { count: given.count } : {};
  print(context, { confirmed: given.what, ...count }, [`confirmed: ${Object.values(given).join(' ')}`]);
  return EXIT_CODES.done;
}

async function readStatus(socket: string): Promise<SyncStatus> {
  return syncStatusSchema.parse(await ask(socket, 'GET', '/v1/status'));
}

function describe(status: SyncStatus): string[] {
  const { save } = status;
  return [
    `phase      ${status.phase}${status.ready ? ', the desktop is open' : ''}`,
    `source     ${transferText(status.source)}`,
    `project    ${transferText(status.project)}`,
    `last save  ${save.lastSavedAt === null ? 'never' : `${save.lastSavedAt}, save ${save.generation}`}`,
    ...(save.nextSaveAt === null ? [] : [`next save  ${save.nextSaveAt}`]),
    ...(status.activity === undefined ? [] : [`in use     ${activityText(status.activity)}`]),
    ...Object.entries(status.tokenExpiresAt ?? {}).map(
      ([space, at]) => `${space} token ends ${at ?? 'never, as far as known'}`,
    ),
    ...status.problems.map((problem) => `problem    ${problem.message}`),
    ...fileLines(status.fileProblems),
    ...(status.warnings ?? []).map((warning) => `warning    ${warning.message}`),
  ];
}

function activityText({ windows, protocols, cpus, idleSeconds }: Activity): string {
  const number = (found: number | null) => found ?? '?';
  const idle = idleSeconds ? `, not used for ${Math.floor(idleSeconds / 60)} min` : '';
  return `${number(windows)} windows, ${number(protocols)} protocols, ${number(cpus)} CPUs${idle}`;
}

const DURING = { 'stage-in': 'not copied', restore: 'not restored', save: 'not saved' } as const;

/** One line for each file that was left out, and how many more there are. */
function fileLines(problems: FileProblems | undefined): string[] {
  if (problems === undefined || problems.total === 0) return [];
  const lines = problems.items.map(({ path, isFolder, during, code, message }) => {
    const name = `${JSON.stringify(path)}${isFolder ? ' (folder)' : ''}`;
    return `${DURING[during].padEnd(10)} ${name}  ${code}: ${message}`;
  });
  const more = problems.total - problems.items.length;
  return more > 0 ? [...lines, `and ${more} more files or folders`] : lines;
}

function progressLine(status: SyncStatus): string {
  const awaited = status.warnings?.find(({ code }) => code === 'jobs-awaited');
  if (awaited !== undefined) return awaited.message;
  const [problem] = status.problems;
  return `${status.phase}: ${transferText(status.project)}${problem === undefined ? '' : `. ${problem.message}`}`;
}

function transferText(transfer: Transfer): string {
  const files = `${transfer.filesDone}${transfer.filesTotal === null ? '' : ` of ${transfer.filesTotal}`} files`;
  const bytes = `${bytesText(transfer.bytesDone)}${transfer.bytesTotal === null ? '' : ` of ${bytesText(transfer.bytesTotal)}`}`;
  return `${transfer.state}, ${files}, ${bytes}`;
}
