import type { CpuTime, InstanceView } from '../../src/view-types.ts';
import { ago, formatBytes, formatDuration, formatNumber, formatTime, t } from './language.ts';
import { type Child, make } from './make.ts';

/** What is known of an instance, in words. */

export type Kind = 'good' | 'busy' | 'warning' | 'error' | 'info';

export const KINDS = {
  working: 'busy',
  killed: 'error',
  failed: 'error',
  'settings-wrong': 'error',
  'not-made': 'info',
  running: 'good',
  starting: 'busy',
  paused: 'info',
  absent: 'warning',
  unknown: 'warning',
} as const satisfies Record<InstanceView['state'], Kind>;

export function stateText({ state, operation }: InstanceView): string {
  return state === 'working' && operation ? t().working[operation.kind] : t().states[state];
}

export const stateMark = (view: InstanceView) =>
  make('span', { class: 'dot', 'data-kind': KINDS[view.state] }, stateText(view));

const SOON_MS = 48 * 3_600_000;
const SIDES = ['source', 'project'] as const;

export function factList(view: InstanceView, isWhole: boolean): HTMLElement {
  const list = make('dl', { class: 'facts' });
  const add = (term: string, ...lines: readonly Child[]) => {
    const shown = lines.filter((line) => line !== undefined && line !== false);
    if (shown.length === 0) return;
    const nodes = shown.map((line) => (typeof line === 'string' ? make('span', {}, line) : line));
    list.append(make('dt', {}, term), make('dd', {}, ...nodes));
  };
  const { sync } = view;
  if (isWhole) add(t().state, stateText(view));
  if (view.owner !== undefined && !view.isOwn) add(t().owner, view.owner);
  if (view.version !== undefined) add(t().version, view.version);
  if (isWhole && view.changedAt !== undefined) add(t().changed, formatTime(view.changedAt));
  if (view.takes !== undefined) add(t().takes, takesText(view.takes));
  if (view.cpuTime !== undefined) add(t().cpuHours, cpuTimeText(view.cpuTime));
  if (view.expiresAt !== undefined) add(t().ends, formatTime(view.expiresAt));
  if (sync !== undefined) {
    add(t().inUse, useText(sync.activity));
    add(t().lastSave, saveText(sync), sync.lastError !== null && attention(t().saveFailed));
    for (const side of SIDES) {
      const { state, bytesDone, bytesTotal } = sync[side];
      const done =
        bytesTotal === null
          ? formatBytes(bytesDone)
          : t().of(formatBytes(bytesDone), formatBytes(bytesTotal));
      if (state === 'copying' || state === 'listing') add(t().data, t().copying(t().sides[side], done));
    }
    add(t().tokens, ...SIDES.map((side) => tokenText(side, sync.tokenExpiresAt[side])));
    add(
      t().room,
      ...SIDES.map((side) => {
        const room = sync.volumes[side];
        const used = room && formatBytes(room.totalBytes - room.freeBytes);
        return room && used !== undefined && t().roomOf(t().sides[side], used, formatBytes(room.totalBytes));
      }),
    );
  }
  return list;
}

export function cpuTimeText({ hours, notSeenHours }: CpuTime): string {
  const counted = formatNumber(hours);
  return notSeenHours === 0 ? counted : t().cpuNotSeen(counted, formatNumber(notSeenHours));
}

function takesText({ cpus, memory, storage }: NonNullable<InstanceView['takes']>): string {
  const volumes = t().takesVolumes(formatBytes(storage));
  return cpus === 0 && memory === 0
    ? volumes
    : `${t().takesWork(String(cpus), formatBytes(memory))}, ${volumes}`;
}

function useText(activity: NonNullable<InstanceView['sync']>['activity']): string | undefined {
  if (activity === undefined) return undefined;
  const { windows, protocols, idleSeconds } = activity;
  if (windows === null || protocols === null) return t().useUnknown;
  if (windows === 0 && protocols === 0 && idleSeconds !== null && idleSeconds > 0)
    return t().notUsedFor(formatDuration(idleSeconds));
  return t().useNow(windows, protocols);
}

const attention = (text: string) => make('span', { class: 'attention' }, text);

function saveText({ lastSavedAt, unsaved }: NonNullable<InstanceView['sync']>): string {
  if (lastSavedAt === null) return t().neverSaved;
  const since = unsaved === null ? t().unsavedUnknown : unsaved ? t().unsaved : t().allSaved;
  return `${ago(lastSavedAt)}, ${since}`;
}

function tokenText(side: 'source' | 'project', end: string | null | undefined): Child {
  if (end === undefined) return undefined;
  const name = t().sides[side];
  if (end === null) return t().tokenEndless(name);
  const isSoon = Date.parse(end) - Date.now() < SOON_MS;
  return isSoon ? attention(t().tokenSoon(name, formatTime(end))) : t().tokenEnds(name, formatTime(end));
}

/** What is wrong, what was left undone, what keeps it from starting. */
export function troubles(view: InstanceView): HTMLElement[] {
  const box = (kind: Kind, ...children: readonly Child[]) =>
    make('div', { class: 'notice', 'data-kind': kind }, ...children);
  const line = (text: string) => make('p', {}, text);
  const { operation, sync, state, reason } = view;
  const found: HTMLElement[] = [];
  if (operation !== undefined && operation.state !== 'running') {
    const what = t().operations[operation.kind];
    const since = formatTime(operation.since);
    const left = operation.underWay.join('; ');
    found.push(
      box(
        'error',
        line(operation.state === 'killed' ? t().interruptedWhat(what, since) : t().failedWhat(what, since)),
        operation.state === 'killed' && line(t().stages[operation.stage]),
        left !== '' && line(t().underWay(left)),
        operation.failure !== undefined && make('p', { class: 'said', lang: 'en' }, operation.failure),
        line(t().savedNotTouched),
      ),
    );
  }
  if (reason !== undefined && (state === 'settings-wrong' || state === 'unknown' || state === 'starting'))
    found.push(
      box(state === 'starting' ? 'info' : 'warning', make('p', { class: 'said', lang: 'en' }, reason)),
    );
  if (view.rule !== undefined) found.push(ruleNotice(view.rule));
  for (const problem of sync?.problems ?? [])
    found.push(box('warning', line(t().problems[problem.code] ?? problem.message)));
  for (const { code, message } of sync?.advice ?? [])
    found.push(box('info', line(t().advice[code] ?? message)));
  if (sync !== undefined && sync.leftOut > 0) found.push(box('warning', line(t().leftOut(sync.leftOut))));
  if (view.warnings.length > 0)
    found.push(box('warning', ...view.warnings.map((text) => make('p', { lang: 'en' }, text))));
  return found;
}

function ruleNotice({ why, at }: NonNullable<InstanceView['rule']>): HTMLElement {
  const text = at === undefined ? t().pausedFor[why] : t().pausesSoon[why](formatTime(at));
  const kind: Kind = at === undefined ? 'info' : 'warning';
  return make('div', { class: 'notice', 'data-kind': kind }, make('p', {}, text));
}
