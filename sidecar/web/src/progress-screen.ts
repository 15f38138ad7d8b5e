import type { Transfer } from '../../contract/status.ts';
import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { FileProblemsView } from './file-problems.ts';
import { LANGUAGES, t } from './language.ts';
import { headlineOf, problemText, transferText, warningTexts } from './texts.ts';

let files: FileProblemsView | undefined;

/** Draws everything that is not the desktop: copying, problems, removal. */
export function renderProgress(view: GatewayView, now: number): void {
  const headline = headlineOf(view);
  setText(element('headline'), headline.title);
  setText(element('lead'), headline.lead);
  setText(element('foot'), headline.foot);
  element('spinner').hidden = !headline.isBusy;
  element('check').toggleAttribute('hidden', !headline.isDone);
  element('transfers').hidden = !headline.showTransfers;
  // A removal saves the projects; the raw data is not part of it.
  element('source').hidden = view.screen === 'saving';
  if (view.status) {
    renderTransfer('source', view.status.source);
    renderTransfer('project', view.status.project);
  }
  renderProblems('problems', 'h2', view, now);
  files ??= new FileProblemsView('progress-files');
  files.render(view);
  renderWarnings(view);
}

function renderTransfer(id: 'source' | 'project', transfer: Transfer): void {
  const { state, figures, share, kind } = transferText(transfer);
  const section = element(id);
  section.dataset.kind = kind;
  const part = (name: string) => section.querySelector(`[data-part="${name}"]`);
  const bar = part('bar') as HTMLProgressElement;
  if (share === null) bar.removeAttribute('value');
  else bar.value = share;
  bar.setAttribute('aria-valuetext', [state, ...figures].join(', '));
  const stateElement = part('state');
  if (stateElement) setText(stateElement, state);
  part('figures')?.replaceChildren(...figures.map((figure) => textElement('span', 'figure', figure)));
}

/** @param heading so that it stands right below the heading before it */
export function renderProblems(id: string, heading: 'h2' | 'h3', view: GatewayView, now: number): void {
  const list = element(id);
  const problems = view.status?.problems ?? [];
  const keys = problems.map(({ code, space }) => `${code}/${space ?? ''}`);
  // The list is a live region: it is built anew only when a problem comes or goes, else the texts are updated.
  if (list.dataset.keys !== keys.join(' ')) {
    list.dataset.keys = keys.join(' ');
    list.replaceChildren(...problems.map(() => problemElement(heading)));
  }
  problems.forEach((problem, index) => {
    const { where, message, retry } = problemText(problem, now);
    const [title, text, original, next] = list.children[index]?.children ?? [];
    if (title) setText(title, where);
    if (text) setText(text, message);
    // What the data service says has names and numbers, in English.
    if (original) setText(original, t() === LANGUAGES.en ? '' : problem.message);
    if (next) setText(next, retry);
  });
}

function renderWarnings(view: GatewayView): void {
  const list = element('warnings');
  const texts = warningTexts(view);
  const key = texts.join('\n');
  // A live region, too: built anew only when it says something else.
  if (list.dataset.texts === key) return;
  list.dataset.texts = key;
  list.replaceChildren(
    ...texts.map((text) => {
      const notice = textElement('p', 'notice', text);
      notice.dataset.kind = 'warning';
      return notice;
    }),
  );
}

function problemElement(heading: string): HTMLElement {
  const made = textElement('article', 'problem', '');
  const next = textElement('p', 'hint', '');
  // It counts down; read aloud each second it would drown everything else.
  next.setAttribute('aria-live', 'off');
  const original = textElement('p', 'hint', '');
  original.lang = 'en';
  made.append(textElement(heading, '', ''), textElement('p', '', ''), original, next);
  return made;
}
