import type { Problem, SyncStatus, Transfer } from '../../contract/status.ts';
import type { GatewayView } from '../../src/gateway/view.ts';
import { formatAgo, formatBytes, formatCount, formatDuration, plural } from './format.ts';

/** What the page says for what the gateway sent. Pure; times are ms since 1970 by the gateway's clock. */

export interface Headline {
  readonly title: string;
  readonly lead: string;
  readonly foot: string;
  readonly isBusy: boolean;
  readonly showTransfers: boolean;
  readonly isDone: boolean;
}

const MAY_CLOSE = 'You can close this page and come back later; the work goes on without it.';

export function headlineOf(view: GatewayView): Headline {
  const quiet = { foot: '', isBusy: true, isDone: false, showTransfers: false };
  if (view.stopping) {
    return {
      ...quiet,
      title: 'This instance is stopping',
      lead: 'Your last changes are being saved. This page cannot follow that any further; it comes back by itself when the instance does.',
    };
  }
  const { status } = view;
  const isRemoval = view.screen === 'saving' || view.screen === 'saved';
  if (view.sync === 'down' && view.screen !== 'saved') {
    return {
      ...quiet,
      title: 'The data service does not answer',
      lead: isRemoval
        ? 'It was saving your work before the removal. Nothing is removed before it has answered.'
        : 'It is started again by itself, and goes on where it stopped. This page keeps asking.',
      showTransfers: status !== null,
    };
  }
  if (view.screen === 'saving') {
    return {
      ...quiet,
      title: 'Saving your work before removal',
      lead: 'The desktop is closed, so that nothing changes any more. What is new since the last save goes to your project space now.',
      foot: 'The instance is removed only after this has succeeded.',
      showTransfers: true,
    };
  }
  if (view.screen === 'saved') return { ...savedHeadline(status), isBusy: false, showTransfers: false };
  if (!status) return { ...quiet, title: 'Starting', lead: 'The data service is starting.' };
  if (status.ready) {
    return {
      ...quiet,
      title: 'Opening the desktop',
      lead: 'Your data is here; the desktop is starting.',
      showTransfers: true,
    };
  }
  const isBlocked = status.problems.length > 0;
  return {
    title: isBlocked ? 'Preparing your desktop needs attention' : 'Preparing your desktop',
    lead: 'Raw data and projects are copied next to the desktop. It opens here as soon as they are complete.',
    foot: MAY_CLOSE,
    isBusy: !isBlocked,
    isDone: false,
    showTransfers: true,
  };
}

function savedHeadline(status: SyncStatus | null): Pick<Headline, 'title' | 'lead' | 'foot' | 'isDone'> {
  const isInDoubt = status === null || status.problems.length > 0 || status.save.lastError !== null;
  if (isInDoubt || status.save.unsavedChanges) {
    return {
      title: 'The desktop is closed, but not everything is saved',
      lead: 'Some of the last changes are still only on the instance’s own volume. Do not remove it before this is solved.',
      foot: '',
      isDone: false,
    };
  }
  return {
    title: 'Everything is saved',
    lead: 'All your work is in your project space, and the desktop is closed. The instance can be removed now.',
    foot: 'Your projects come back when the instance is made again.',
    isDone: true,
  };
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
      ? [
          `${formatCount(filesDone)} of ${plural(filesTotal, 'file')}`,
          `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
        ]
      : filesDone > 0 || bytesDone > 0
        ? [plural(filesDone, 'file'), formatBytes(bytesDone)]
        : [];
  switch (transfer.state) {
    case 'pending':
      return { state: 'Waiting for its turn', figures: [], share: 0, kind: 'idle' };
    case 'listing':
      return { state: 'Looking through the files…', figures: soFar, share: null, kind: 'active' };
    case 'copying':
      return {
        state: share === null ? 'Copying…' : `${Math.floor(share * 100)} %`,
        figures: [...soFar, ...speedOf(transfer)],
        share,
        kind: 'active',
      };
    case 'waiting':
      return { state: 'Paused, is tried again', figures: soFar, share: share ?? 0, kind: 'waiting' };
    case 'done':
      return {
        state: filesDone === 0 ? 'Nothing to copy' : 'Complete',
        figures: filesDone === 0 ? [] : [plural(filesDone, 'file'), formatBytes(bytesDone)],
        share: 1,
        kind: 'done',
      };
  }
}

function shareOf({ bytesDone, bytesTotal, filesDone, filesTotal }: Transfer): number | null {
  if (bytesTotal === null || filesTotal === null) return null;
  if (bytesTotal > 0) return Math.min(1, bytesDone / bytesTotal);
  return filesTotal > 0 ? Math.min(1, filesDone / filesTotal) : 1;
}

function speedOf({ bytesPerSecond, secondsLeft }: Transfer): string[] {
  const figures: string[] = [];
  if (bytesPerSecond !== null) figures.push(`${formatBytes(bytesPerSecond)}/s`);
  if (secondsLeft !== null) figures.push(`about ${formatDuration(secondsLeft)} left`);
  return figures;
}

export interface ProblemText {
  readonly where: string;
  readonly message: string;
  readonly retry: string;
}

const WHERE = { source: 'Raw data', project: 'Your projects' } as const;

export function problemText(problem: Problem, now: number): ProblemText {
  const since = formatAgo((now - Date.parse(problem.since)) / 1000);
  const seconds = problem.retryAt ? (Date.parse(problem.retryAt) - now) / 1000 : undefined;
  const next =
    seconds === undefined
      ? 'Goes on by itself when this is solved.'
      : seconds <= 1
        ? 'Trying again now.'
        : `Next attempt in ${formatDuration(seconds)}.`;
  return {
    where: problem.space ? WHERE[problem.space] : 'This instance',
    message: problem.message,
    retry: `Began ${since}. ${next}`,
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
  if (!status || view.sync !== 'up') {
    return {
      text: 'Whether your work is saved is not known at the moment',
      kind: 'warning',
      isSaving: false,
    };
  }
  const { save, phase, project } = status;
  if (phase === 'saving') {
    const { filesTotal, filesDone } = project;
    const progress = filesTotal ? ` ${formatCount(filesDone)} of ${plural(filesTotal, 'file')}` : '';
    return { text: `Saving…${progress}`, kind: 'busy', isSaving: true };
  }
  const last = save.lastSavedAt ? formatAgo((now - Date.parse(save.lastSavedAt)) / 1000) : undefined;
  if (save.lastError !== null) {
    const earlier = last ? `; last saved ${last}` : '';
    return { text: `The last save failed${earlier}`, kind: 'warning', isSaving: false };
  }
  if (save.unsavedChanges) {
    return {
      text: last ? `Unsaved changes · saved ${last}` : 'Not saved yet',
      kind: 'info',
      isSaving: false,
    };
  }
  if (last === undefined) return { text: 'Nothing to save yet', kind: 'info', isSaving: false };
  const isCertain = save.unsavedChanges === false;
  return {
    text: isCertain ? `All saved · ${last}` : `Saved ${last}`,
    kind: isCertain ? 'good' : 'info',
    isSaving: false,
  };
}

/** Sentences of the banner over the desktop, the most pressing first; empty when all is well. */
export function bannerTexts(view: GatewayView): string[] {
  const { status } = view;
  if (!status) return [];
  const sentences = status.problems.map((problem) =>
    problem.space ? `${WHERE[problem.space]}: ${problem.message}` : problem.message,
  );
  const { lastError } = status.save;
  const isTold = status.problems.some(({ message }) => message === lastError);
  if (lastError !== null && !isTold) sentences.push(`Saving failed and is tried again: ${lastError}`);
  return [...sentences, ...warningTexts(view)];
}

/** What works but is better changed. */
export function warningTexts({ status }: GatewayView): string[] {
  return (status?.warnings ?? []).map(({ space, message }) => `${WHERE[space]}: ${message}`);
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
