import type { InstanceView, TokenAnswer } from '../../src/view-types.ts';
import { askChange } from './change.ts';
import { ask, checkRow, typedLine } from './dialogs.ts';
import { formatTime, t } from './language.ts';
import { button, make } from './make.ts';
import { instancePath, post, RefusedError } from './requests.ts';

/** What can be done with an instance, as buttons. What ends or loses something asks first. */

const line = (text: string) => make('p', {}, text);
const start = (view: InstanceView, action: string, body?: object) =>
  post(instancePath(view.name, `/${action}`), body);

/** @param report tells a failure beside the buttons */
export function actionRow(
  view: InstanceView,
  report: (error: unknown) => void,
  isWhole: boolean,
): HTMLElement {
  const row = make('div', { class: 'row' });
  const add = (action: string, element: HTMLElement) => {
    element.dataset.action = action;
    row.append(element);
  };
  const now = (action: string) => () => start(view, action).then(() => undefined, report);
  const { state, operation } = view;
  const isThere = state === 'running' || state === 'starting';
  if (isThere && view.isOwn && view.url !== undefined) {
    add('open', openButton(view, report));
    if (isWhole) add('password', passwordButton(view, report));
  }
  if (operation !== undefined && operation.state !== 'running') {
    if (operation.needsAnswers)
      add('again', make('a', { class: 'button primary', href: `/new#${view.name}` }, t().answersAgain));
    else add('continue', button(t().continue, 'primary', now('continue')));
    add(
      'give-up',
      button(t().giveUp, 'quiet', () => askGiveUp(view)),
    );
  }
  if (state === 'running') add('save', button(t().save, '', now('save')));
  if (state === 'paused' || (state === 'not-made' && operation === undefined))
    add('resume', button(t().resume, 'primary', now('resume')));
  if (isWhole && isThere) {
    add(
      'pause',
      button(t().pause, '', () => askPause(view)),
    );
    add(
      'restart',
      button(t().restart, '', () => askRestart(view)),
    );
  }
  if (isWhole && state !== 'working' && state !== 'not-made') {
    add(
      'change',
      button(t().change, '', () => askChange(view, report)),
    );
    add(
      'token',
      button(t().newToken, '', () => askToken(view)),
    );
  }
  if (isWhole && view.mayExtend && state !== 'working')
    add(
      'expiry',
      button(t().setEnd, '', () => askEnd(view)),
    );
  if (isWhole && state !== 'working')
    add(
      'remove',
      button(t().remove, 'danger', () => askRemoval(view)),
    );
  return row;
}

/** Leads to the desktop, signed in; where that cannot be, to its login page. */
export function openButton(
  { url, name }: Pick<InstanceView, 'name' | 'url'>,
  report: (error: unknown) => void,
): HTMLElement {
  const made = button(t().open, 'primary', async () => {
    // Made at once, since a browser takes a tab that comes later for an advertisement.
    const tab = window.open('', '_blank');
    try {
      const found = await post<{ url: string | null }>(instancePath(name, '/open'));
      const to = found.url ?? url ?? '/';
      if (tab === null) return location.assign(to);
      tab.opener = null;
      tab.location.replace(to);
    } catch (error) {
      tab?.close();
      report(error);
    }
  });
  made.title = t().openHint;
  made.setAttribute('aria-label', `${t().open}: ${name}`);
  return made;
}

function passwordButton(view: InstanceView, report: (error: unknown) => void): HTMLElement {
  const made = button(t().showPassword, '', async () => {
    try {
      const { password } = await post<{ password: string | null }>(instancePath(view.name, '/password'));
      if (password === null) return void made.replaceWith(line(t().noPassword));
      const copy = button(t().copy, 'quiet', async () => {
        await navigator.clipboard.writeText(password);
        copy.textContent = t().copied;
      });
      const shown = make('code', { class: 'password', 'aria-label': t().password, role: 'note' }, password);
      made.replaceWith(shown, copy);
    } catch (error) {
      report(error);
    }
  });
  return made;
}

function askGiveUp(view: InstanceView): void {
  ask({
    title: `${t().giveUp}: ${view.name}`,
    content: [line(t().giveUpWhat), line(t().savedNotTouched)],
    action: t().giveUp,
    run: () => start(view, 'give-up'),
  });
}

function askPause(view: InstanceView): void {
  ask({
    title: `${t().pause}: ${view.name}`,
    content: [line(t().pauseWhat), ...savedLines(view)],
    action: t().pause,
    run: () => start(view, 'pause'),
  });
}

function askRestart(view: InstanceView): void {
  ask({
    title: `${t().restart}: ${view.name}`,
    content: [line(t().restartWhat), ...savedLines(view)],
    action: t().restart,
    run: () => start(view, 'restart'),
  });
}

function savedLines({ sync }: InstanceView): HTMLElement[] {
  if (sync === undefined) return [];
  const { lastSavedAt, unsaved } = sync;
  return [
    ...(lastSavedAt === null ? [] : [line(t().lastSavedNow(formatTime(lastSavedAt)))]),
    ...(unsaved === true ? [line(t().unsavedNow)] : []),
  ];
}

/** Nothing that loses work without its name typed, and a second time where it may be lost. */
function askRemoval(view: InstanceView): void {
  const { name } = view;
  const typed = typedLine(t().typeName(name), { required: '' });
  const keep = checkRow(t().keepSettings);
  const lose = checkRow(t().loseWork);
  const again = typedLine(t().typeNameToLose(name));
  again.row.hidden = true;
  lose.input.addEventListener('change', () => {
    again.row.hidden = !lose.input.checked;
    again.input.required = lose.input.checked;
  });
  ask({
    title: `${t().remove}: ${name}`,
    content: [
      make('ol', {}, ...t().removeWhat.map((text) => make('li', {}, text))),
      ...savedLines(view),
      typed.row,
      keep.row,
      lose.row,
      again.row,
    ],
    action: t().remove,
    isDangerous: true,
    run: () =>
      start(view, 'remove', {
        typed: typed.input.value.trim(),
        keepSettings: keep.input.checked,
        ...(lose.input.checked ? { typedToLose: again.input.value.trim() } : {}),
      }),
  });
}

function askEnd(view: InstanceView): void {
  const date = typedLine(t().lastDay, { type: 'date', value: view.expiresAt?.slice(0, 10) ?? '' });
  ask({
    title: `${t().setEnd}: ${view.name}`,
    content: [line(t().endWhat), date.row, make('p', { class: 'hint' }, t().endNever)],
    action: t().setEnd,
    run: () => start(view, 'expiry', { date: date.input.value }),
  });
}

function askToken(view: InstanceView): void {
  const side = make(
    'select',
    { id: 'token-side' },
    make('option', { value: 'source' }, t().sourceToken),
    make('option', { value: 'project' }, t().projectToken),
  );
  const token = typedLine(t().newToken, { type: 'password', required: '', autocomplete: 'new-password' });
  ask({
    title: `${t().newToken}: ${view.name}`,
    content: [
      make('div', { class: 'one' }, make('label', { for: 'token-side' }, t().tokens), side),
      token.row,
      make('p', { class: 'hint' }, t().tokenHint),
    ],
    action: t().newToken,
    run: async () => {
      const given = { side: side.value, token: token.input.value };
      const answer = await post<TokenAnswer>('/api/token', { ...given, name: view.name });
      if (answer.kind === 'unusable')
        throw new RefusedError({
          code: 'answers-wrong',
          message: t().tokenFaults[answer.code] ?? answer.message,
        });
      await start(view, 'token', given);
      token.input.value = '';
    },
  });
}
