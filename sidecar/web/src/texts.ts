import type { JobView } from '../../contract/job-view.ts';
import type { Confirmation, Problem, SyncStatus, Transfer, Warning } from '../../contract/status.ts';
import type { SessionEnd } from '../../src/gateway/session-view.ts';
import type { GatewayView } from '../../src/gateway/view.ts';
import type { Posted } from './actions.ts';
import { formatAgo, formatBytes, formatClock, formatCount, formatDuration, formatTime } from './format.ts';
import { t } from './language.ts';

/** What the page says for what the gateway sent. Pure; times are ms since 1970 by the gateway's clock. */

export interface Headline {
  readonly title: string;
  readonly lead: string;
  readonly foot: string;
  readonly isBusy: boolean;
  readonly showTransfers: boolean;
  readonly isDone: boolean;
}

export function headlineOf(view: GatewayView): Headline {
  const quiet = { foot: '', isBusy: true, isDone: false, showTransfers: false };
  if (view.stopping) return { ...quiet, title: t().stopping, lead: t().stoppingLead };
  const { status } = view;
  const isRemoval = view.screen === 'saving' || view.screen === 'saved';
  if (view.sync === 'down' && view.screen !== 'saved') {
    const lead = isRemoval ? t().syncDownRemoval : t().syncDownLead;
    return { ...quiet, title: t().syncDown, lead, showTransfers: status !== null };
  }
  if (view.screen === 'saving') {
    return { ...quiet, title: t().saving, lead: t().savingLead, foot: t().savingFoot, showTransfers: true };
  }
  if (view.screen === 'saved') return { ...savedHeadline(status), isBusy: false, showTransfers: false };
  if (!status) return { ...quiet, title: t().starting, lead: t().startingLead };
  if (status.ready) return { ...quiet, title: t().opening, lead: t().openingLead, showTransfers: true };
  const isBlocked = status.problems.length > 0;
  return {
    title: isBlocked ? t().preparingBlocked : t().preparing,
    lead: t().preparingLead,
    foot: t().mayClose,
    isBusy: !isBlocked,
    isDone: false,
    showTransfers: true,
  };
}

function savedHeadline(status: SyncStatus | null): Pick<Headline, 'title' | 'lead' | 'foot' | 'isDone'> {
  const isInDoubt = status === null || status.problems.length > 0 || status.save.lastError !== null;
  if (isInDoubt || status.save.unsavedChanges) {
    return { title: t().notAllSaved, lead: t().notAllSavedLead, foot: '', isDone: false };
  }
  return { title: t().allSavedTitle, lead: t().allSavedLead, foot: t().allSavedFoot, isDone: true };
}

export interface TransferText {
  readonly state: string;
  /** Short figures, joined by the page. */
  readonly figures: readonly string[];
  /** Done share from 0 to 1; null draws a bar without an end. */
  readonly share: number | null;
  readonly kind: 'idle' | 'active' | 'done' | 'waiting';
}

export function transferText(transfer: Transfer): TransferText {
  const { filesDone, filesTotal, bytesDone, bytesTotal } = transfer;
  const share = shareOf(transfer);
  const soFar =
    filesTotal !== null && bytesTotal !== null
      ? [filesFigure(transfer), t().of(formatBytes(bytesDone), formatBytes(bytesTotal))]
      : filesDone > 0 || bytesDone > 0
        ? [t().files(filesDone), formatBytes(bytesDone)]
        : [];
  switch (transfer.state) {
    case 'pending':
      return { state: t().pending, figures: [], share: 0, kind: 'idle' };
    case 'listing':
      return { state: t().listing, figures: soFar, share: null, kind: 'active' };
    case 'copying':
      return {
        state: share === null ? t().copying : percent(share),
        figures: [...soFar, ...speedOf(transfer)],
        share,
        kind: 'active',
      };
    case 'waiting':
      return { state: t().waiting, figures: soFar, share: share ?? 0, kind: 'waiting' };
    case 'done':
      return {
        state: filesDone === 0 ? t().nothingToCopy : t().complete,
        figures: filesDone === 0 ? [] : [t().files(filesDone), formatBytes(bytesDone)],
        share: 1,
        kind: 'done',
      };
  }
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

/** Many files are on their way at once, and each counts when it is through: before the first, only how many they are. */
function filesFigure({ filesDone, filesTotal, bytesDone }: Transfer): string {
  const total = filesTotal ?? 0;
  return filesDone === 0 && bytesDone > 0 ? t().files(total) : t().filesOf(formatCount(filesDone), total);
}

function shareOf({ bytesDone, bytesTotal, filesDone, filesTotal }: Transfer): number | null {
  if (bytesTotal === null || filesTotal === null) return null;
  if (bytesTotal > 0) return Math.min(1, bytesDone / bytesTotal);
  return filesTotal > 0 ? Math.min(1, filesDone / filesTotal) : 1;
}

function speedOf({ bytesPerSecond, secondsLeft }: Transfer): string[] {
  const figures: string[] = [];
  if (bytesPerSecond !== null) figures.push(`${formatBytes(bytesPerSecond)}/s`);
  if (secondsLeft !== null) figures.push(t().timeLeft(formatDuration(secondsLeft)));
  return figures;
}

export interface ProblemText {
  readonly where: string;
  readonly message: string;
  readonly retry: string;
}

export function problemText(problem: Problem, now: number): ProblemText {
  const since = formatAgo((now - Date.parse(problem.since)) / 1000);
  const seconds = problem.retryAt ? (Date.parse(problem.retryAt) - now) / 1000 : undefined;
  const next =
    seconds === undefined
      ? t().goesOn
      : seconds <= 1
        ? t().tryingNow
        : t().nextAttempt(formatDuration(seconds));
  return {
    where: problem.space ? t()[problem.space] : t().instance,
    message: t().problem(problem.message, problem.code),
    retry: `${t().began(since)} ${next}`,
  };
}

export interface SaveText {
  readonly text: string;
  readonly kind: 'good' | 'info' | 'busy' | 'warning';
  readonly isSaving: boolean;
}

/** The line in the desktop's bar. */
export function saveText(view: GatewayView, now: number): SaveText {
  const { status } = view;
  if (!status || view.sync !== 'up') return { text: t().saveUnknown, kind: 'warning', isSaving: false };
  const { save, phase, project } = status;
  if (phase === 'saving') return { text: t().savingNow(saveProgress(project)), kind: 'busy', isSaving: true };
  const last = save.lastSavedAt ? formatAgo((now - Date.parse(save.lastSavedAt)) / 1000) : undefined;
  if (save.lastError !== null) {
    const earlier = last ? `; ${t().lastSaved(last)}` : '';
    return { text: `${t().saveFailedState}${earlier}`, kind: 'warning', isSaving: false };
  }
  if (save.unsavedChanges) {
    return { text: last ? t().unsaved(last) : t().notSavedYet, kind: 'info', isSaving: false };
  }
  if (last === undefined) return { text: t().nothingToSave, kind: 'info', isSaving: false };
  return save.unsavedChanges === false
    ? { text: t().allSaved(last), kind: 'good', isSaving: false }
    : { text: t().savedUnknown(last), kind: 'info', isSaving: false };
}

/** Bytes until the first file is through. */
function saveProgress(transfer: Transfer): string {
  const { filesTotal, filesDone } = transfer;
  if (!filesTotal) return '';
  const share = shareOf(transfer);
  if (filesDone === 0) return share === null || share === 0 ? '' : ` ${percent(share)}`;
  return ` ${t().filesOf(formatCount(filesDone), filesTotal)}`;
}

/** Sentences of the banner, the most pressing first; empty when all is well. Advice can wait for the status. */
export function bannerTexts(view: GatewayView): string[] {
  const { status } = view;
  if (!status) return [];
  const sentences = status.problems.map((problem) => {
    const { where, message } = problemText(problem, 0);
    return problem.space ? `${where}: ${message}` : message;
  });
  const { lastError } = status.save;
  const isTold = status.problems.some(({ message }) => message === lastError);
  if (lastError !== null && !isTold) sentences.push(t().saveFailed(t().problem(lastError, '')));
  const pressing = (status.warnings ?? []).filter(({ code }) => code !== 'token-advice');
  return [...sentences, ...pressing.map(warningText)];
}

/** What works but is better changed. */
export function warningTexts({ status }: GatewayView): string[] {
  return (status?.warnings ?? []).map(warningText);
}

function warningText({ space, message, code, at }: Warning): string {
  const text = t().warning(message, code, at === undefined ? '' : formatTime(at));
  return space === undefined ? text : `${t()[space]}: ${text}`;
}

/** For the browser's tab: the share of both copies together. */
export function titleOf(view: GatewayView): string {
  const name = `${view.instance} · Scipion`;
  if (view.screen !== 'progress' || !view.status) return name;
  const { source, project } = view.status;
  if (source.bytesTotal === null || project.bytesTotal === null) return name;
  const total = source.bytesTotal + project.bytesTotal;
  return total > 0
    ? `${Math.floor((100 * (source.bytesDone + project.bytesDone)) / total)} % · ${name}`
    : name;
}

const SIDES = ['source', 'project'] as const;

export function roomTexts({ volumes }: SyncStatus): string[] {
  return SIDES.flatMap((side) => {
    const room = volumes?.[side];
    if (!room) return [];
    return [`${t()[side]}: ${t().space(formatBytes(room.freeBytes), formatBytes(room.totalBytes))}`];
  });
}

export function tokenTexts({ tokenExpiresAt }: SyncStatus, now: number): string[] {
  return SIDES.flatMap((side) => {
    const end = tokenExpiresAt?.[side];
    if (end === undefined) return [];
    if (end === null) return [`${t()[side]}: ${t().tokenNoEnd}`];
    const seconds = (Date.parse(end) - now) / 1000;
    const when = formatTime(end);
    return [
      `${t()[side]}: ${seconds > 0 ? t().tokenEnds(when, formatDuration(seconds)) : t().tokenEnded(when)}`,
    ];
  });
}

/** How many things a person should look at. */
export function attentionOf({ status }: GatewayView): number {
  if (!status) return 0;
  return (
    status.problems.length + (status.warnings ?? []).length + ((status.fileProblems?.total ?? 0) > 0 ? 1 : 0)
  );
}

/** What a refresh of the source has come to, by the status that came after its answer. */
export function refreshState(posted: Posted | null, { source, problems }: SyncStatus): Posted | null {
  if (posted === null || posted.error !== null || posted.isDone) return posted;
  // The problem says what went wrong, and the status that it is tried again.
  if (problems.some(({ space }) => space === 'source')) return null;
  return source.state === 'done' ? { error: null, isDone: true } : posted;
}

export function refreshText(posted: Posted | null): string {
  if (posted === null) return t().refreshHint;
  return posted.error ?? (posted.isDone ? t().refreshed : t().refreshing);
}

/** What `sync` waits for, with the number that counts. */
export function confirmationOf({ problems }: SyncStatus): Confirmation | null {
  return problems.find(({ confirm }) => confirm !== undefined)?.confirm ?? null;
}

/** So long before the login ends its user is told. */
const LOGIN_NOTICE_MS = 15 * 60_000;

/** @param now in ms since 1970, by the gateway's clock */
export function loginNotices(end: SessionEnd | undefined, now: number): string[] {
  if (!end?.endsAt || end.endsAt - now > LOGIN_NOTICE_MS || end.endsAt <= now) return [];
  const when = formatClock(end.endsAt);
  return [end.isFinal ? t().loginEnds(when) : t().loginEndsIdle(when)];
}

const MEBIBYTE = 2 ** 20;

export function jobAskedText({ class: name, cpus, memoryMebibytes }: JobView): string {
  return `${name} · ${t().jobAsked(cpus, formatBytes(memoryMebibytes * MEBIBYTE))}`;
}

/** Since when, why, where, how it ended, what it took. */
export function jobStateText(job: JobView, now: number): string {
  const { state, submittedAt, startedAt, endedAt, node, used } = job;
  const since = (at: string | null) => Math.max(0, (now - Date.parse(at ?? submittedAt)) / 1000);
  const why = t().jobWhy(job.why, job.detail, job.reason);
  const sentences = (...all: string[]) => all.filter((text) => text !== '').join(' ');
  switch (state) {
    case 'pending':
      return sentences(t().jobWaits(formatDuration(since(submittedAt))), why);
    case 'running':
      return sentences(t().jobRuns(formatDuration(since(startedAt)), node ?? ''), why);
    case 'lost':
      return why;
    case 'ended': {
      const took =
        used === null ? '' : t().jobUsed(formatDuration(used.cpuSeconds), formatBytes(used.maxMemoryBytes));
      return sentences(t().jobEnded(formatAgo(since(endedAt))), why, took);
    }
  }
}
