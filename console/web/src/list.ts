import type { InstanceList, InstanceView } from '../../src/view-types.ts';
import { actionRow } from './actions.ts';
import { cpuTimeText, factList, stateMark, troubles } from './facts.ts';
import { ago, formatTime, t } from './language.ts';
import { make } from './make.ts';
import { allowanceText, detailOf, sentenceOf } from './requests.ts';
import { watchList } from './watch.ts';

/** My instances, each with what matters of it. */

interface Card {
  readonly element: HTMLElement;
  text: string;
}

export function showMine(main: HTMLElement): void {
  const heading = make('h1', {}, t().myInstances);
  const old = make('p', { class: 'notice', 'data-kind': 'warning', role: 'status' });
  old.hidden = true;
  const yours = make('p', { class: 'hint' });
  const list = make('ul', { class: 'instances' });
  const empty = make('div');
  const more = make('a', { class: 'button primary', href: '/new' }, t().newInstance);
  const loading = make('p', {}, t().loading);
  main.replaceChildren(make('div', { class: 'row apart' }, heading, more), old, loading);
  const cards = new Map<string, Card>();
  watchList(false, (found) => {
    showAge(old, found);
    yours.textContent = [
      Object.keys(found.allowances).length > 0 && t().yours(allowanceText(found.allowances)),
      found.cpuTime && t().cpuYours(cpuTimeText(found.cpuTime), formatTime(found.cpuTime.since)),
    ]
      .filter(Boolean)
      .join(' ');
    yours.hidden = yours.textContent === '';
    for (const view of found.instances) showCard(list, cards, view);
    for (const [name, { element }] of cards) {
      if (found.instances.some((view) => view.name === name)) continue;
      if (element.contains(document.activeElement)) more.focus();
      element.remove();
      cards.delete(name);
    }
    empty.replaceChildren(...(found.instances.length === 0 ? [welcome()] : []));
    if (list.parentElement === null) {
      loading.remove();
      main.append(yours, list, empty);
    }
  });
}

const welcome = () =>
  make(
    'section',
    { class: 'card' },
    make('h2', {}, t().none),
    make('p', {}, t().noneText),
    make('p', {}, make('a', { class: 'button primary', href: '/new' }, t().newInstance)),
  );

function showAge(old: HTMLElement, { isOld, seenAt }: InstanceList): void {
  old.hidden = !isOld;
  if (isOld) old.textContent = t().listOld(seenAt === null ? '?' : ago(seenAt));
}

function showCard(list: HTMLElement, cards: Map<string, Card>, view: InstanceView): void {
  // Ages are counted by the minute, so that nothing moves without news.
  const text = JSON.stringify(view) + Math.floor(Date.now() / 60_000);
  const card = cards.get(view.name) ?? { element: make('li', { class: 'card' }), text: '' };
  if (!cards.has(view.name)) {
    cards.set(view.name, card);
    list.append(card.element);
  }
  if (card.text === text) return;
  card.text = text;
  const focused = card.element.contains(document.activeElement)
    ? (document.activeElement as HTMLElement).dataset.action
    : undefined;
  const problem = make('p', { class: 'error-text', role: 'alert' });
  const report = (error: unknown) => {
    problem.textContent = [sentenceOf(error), detailOf(error)].filter(Boolean).join(' ');
  };
  const link = make('a', { href: `/instances/${view.name}` }, view.name);
  link.dataset.action = 'link';
  const details = make('a', { class: 'button', href: `/instances/${view.name}` }, t().details);
  details.setAttribute('aria-label', `${t().details}: ${view.name}`);
  details.dataset.action = 'details';
  const actions = actionRow(view, report, false);
  actions.append(details);
  card.element.replaceChildren(
    make('div', { class: 'row apart' }, make('h2', {}, link), stateMark(view)),
    ...troubles(view),
    factList(view, false),
    actions,
    problem,
  );
  // Who is on an action that is no more goes on from the head of its card.
  if (focused !== undefined)
    (card.element.querySelector<HTMLElement>(`[data-action="${focused}"]`) ?? link).focus();
}
