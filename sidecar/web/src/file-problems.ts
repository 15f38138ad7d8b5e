import type { GatewayView } from '../../src/gateway/view.ts';
import { element, textElement } from '../shared/dom.ts';
import { post } from './actions.ts';
import { t } from './language.ts';
import { confirmationOf } from './texts.ts';

const MAX_SHOWN = 50;

/** The files that were left out, by name, and the way on where one has to be confirmed. */
export class FileProblemsView {
  readonly #container: HTMLElement;
  #shown = '';

  constructor(id: string) {
    this.#container = element(id);
  }

  render({ status }: GatewayView): void {
    const files = status?.fileProblems ?? { total: 0, items: [] };
    const confirmation = status ? confirmationOf(status) : null;
    const key = JSON.stringify([t().locale, files.total, files.items, confirmation]);
    // Made again only when it says something else, so that a button keeps the focus.
    if (key === this.#shown) return;
    this.#shown = key;
    this.#container.hidden = files.total === 0 && confirmation === null;
    const parts: HTMLElement[] = [];
    if (files.total > 0)
      parts.push(textElement('p', 'strong', t().fileProblems(files.total)), listOf(files.items));
    const more = files.total - Math.min(files.items.length, MAX_SHOWN);
    if (more > 0) parts.push(textElement('p', 'hint', t().fileProblemsMore(more)));
    if (confirmation !== null) {
      const { what, count } = confirmation;
      const words = {
        missing: t().confirmMissing,
        deletions: t().confirmDeletions,
        unsaved: t().confirmUnsaved,
      };
      const button = textElement('button', '', words[what](count));
      const outcome = textElement('p', 'hint', '');
      outcome.setAttribute('role', 'status');
      button.addEventListener('click', () => {
        // The one that loses work: asked twice.
        if (what === 'unsaved' && !window.confirm(t().confirmUnsavedAgain(count))) return;
        void post('/confirm', { what, count }).then(({ error }) => {
          outcome.textContent = error ?? t().confirmed;
        });
      });
      parts.push(button, outcome);
    }
    this.#container.replaceChildren(...parts);
  }
}

function listOf(
  items: NonNullable<NonNullable<GatewayView['status']>['fileProblems']>['items'],
): HTMLElement {
  const list = textElement('ul', '', '');
  for (const { path, isFolder, space, code, message } of items.slice(0, MAX_SHOWN)) {
    const item = textElement('li', '', '');
    item.append(
      textElement('code', '', isFolder ? `${path}/` : path),
      textElement('span', 'hint', `${t()[space]}: ${t().fileProblem(message, code)}`),
    );
    list.append(item);
  }
  return list;
}
