import type { OperationKind } from '../../../automation/fleet/kinds.ts';
import type { InstanceList, InstanceView } from '../../src/view-types.ts';
import { actionRow, openButton } from './actions.ts';
import { factList, stateMark, troubles } from './facts.ts';
import { t } from './language.ts';
import { make } from './make.ts';
import { followOperation, type Progress } from './progress.ts';
import { detailOf, get, instancePath, RefusedError, sentenceOf } from './requests.ts';
import { watchList } from './watch.ts';

/** After these the desktop has started. */
const STARTS: readonly OperationKind[] = ['create', 'resume', 'restart'];

/** One instance: everything that is known of it, what can be done, and what happens now. */
export async function showInstance(main: HTMLElement, name: string, isOperator: boolean): Promise<void> {
  const heading = make('h1', {}, name);
  const head = make('div', { class: 'row apart' }, heading);
  const notes = make('div', { class: 'one' });
  const actions = make('div', { class: 'one' });
  const facts = make('div');
  const happening = make('div');
  const problem = make('p', { class: 'error-text', role: 'alert' });
  const back = make('p', {}, make('a', { href: '/' }, t().back));
  main.replaceChildren(
    back,
    make('section', { class: 'card' }, head, notes, actions, problem, happening, facts),
  );
  document.title = `${name} · Scipion`;

  const report = (error: unknown) => {
    problem.textContent = [sentenceOf(error), detailOf(error)].filter(Boolean).join(' ');
  };
  let progress: Progress | undefined;
  let last = '';
  let view: InstanceView | undefined;

  const follow = (kind: OperationKind) => {
    if (progress !== undefined) return;
    progress = followOperation(name, ({ isDone, url }) => {
      progress = undefined;
      if (!isDone) return;
      if (kind === 'remove') return showRemoved(main, name);
      const isOpen = STARTS.includes(kind) && view?.isOwn && url !== undefined;
      const end = isOpen ? [make('p', {}, t().readyToOpen), openButton({ name, url }, report)] : [];
      happening.append(make('p', { role: 'status' }, t().ended), ...end);
    });
    happening.replaceChildren(progress.element);
  };
  const show = (found: InstanceView) => {
    const text = JSON.stringify(found);
    view = found;
    if (found.state === 'working') {
      if (found.operation?.isHere) follow(found.operation.kind);
      else happening.replaceChildren(make('p', { class: 'hint' }, t().elsewhere));
    }
    if (text === last) return;
    last = text;
    const focused = actions.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.action
      : undefined;
    head.replaceChildren(heading, stateMark(found));
    notes.replaceChildren(...troubles(found));
    facts.replaceChildren(factList(found, true));
    // A password that is shown stays until the state is another one.
    if (actions.dataset.state !== `${found.state} ${found.operation?.state}`) {
      actions.dataset.state = `${found.state} ${found.operation?.state}`;
      actions.replaceChildren(actionRow(found, report, true));
      // Who is on an action that is no more goes on from the first that is.
      if (focused !== undefined)
        (
          actions.querySelector<HTMLElement>(`[data-action="${focused}"]`) ??
          actions.querySelector<HTMLElement>('[data-action]')
        )?.focus();
    }
  };
  const load = async () => {
    try {
      show(await get<InstanceView>(instancePath(name)));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (view?.operation?.kind === 'remove') return showRemoved(main, name);
      heading.textContent = t().notHere;
      report(error);
    }
  };
  await load();
  // The list of all has not what an instance itself says, which is then asked for.
  watchList(isOperator && view?.isOwn !== true, ({ instances }: InstanceList) => {
    const found = instances.find((one) => one.name === name);
    if (found !== undefined && (found.isOwn || found.state === 'working')) show(found);
    else void load().catch(() => undefined);
  });
}

function showRemoved(main: HTMLElement, name: string): void {
  main.replaceChildren(
    make(
      'section',
      { class: 'card' },
      make('h1', {}, name),
      make('p', { role: 'status' }, t().removed),
      make('p', {}, make('a', { class: 'button primary', href: '/' }, t().toConsole)),
    ),
  );
}
