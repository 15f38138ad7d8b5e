import { t } from './language.ts';
import { button, type Child, freshId, make } from './make.ts';
import { detailOf, sentenceOf } from './requests.ts';

/** Questions in front of the page, before something is done. */

export interface Question {
  readonly title: string;
  readonly content: readonly Child[];
  readonly action: string;
  readonly isDangerous?: boolean;
  /** Rejects with what is then shown in the dialog, which stays. */
  readonly run: () => Promise<unknown>;
}

export function ask({ title, content, action, isDangerous = false, run }: Question): void {
  const id = freshId('dialog');
  const problem = make('p', { class: 'error-text', role: 'alert' });
  const form: HTMLFormElement = make(
    'form',
    {},
    make('h2', { id }, title),
    ...content,
    problem,
    make(
      'div',
      { class: 'row' },
      make('button', { type: 'submit', class: isDangerous ? 'danger' : 'primary' }, action),
      button(t().cancel, 'quiet', () => dialog.close()),
    ),
  );
  const dialog: HTMLDialogElement = make('dialog', { 'aria-labelledby': id }, form);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const submit = form.querySelector<HTMLButtonElement>('button[type="submit"]');
    if (submit) submit.disabled = true;
    run().then(
      () => dialog.close(),
      (error: unknown) => {
        problem.textContent = [sentenceOf(error), detailOf(error)].filter(Boolean).join(' ');
        if (submit) submit.disabled = false;
      },
    );
  });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export interface TextField {
  readonly row: HTMLElement;
  readonly input: HTMLInputElement;
}

/** A line that is typed, with its label. */
export function typedLine(label: string, attributes: Readonly<Record<string, string>> = {}): TextField {
  const id = freshId('typed');
  const input = make('input', {
    type: 'text',
    id,
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    ...attributes,
  });
  return { input, row: make('div', { class: 'one' }, make('label', { for: id }, label), input) };
}

export function checkRow(text: string): { readonly row: HTMLElement; readonly input: HTMLInputElement } {
  const input = make('input', { type: 'checkbox' });
  return { input, row: make('label', { class: 'check-row' }, input, make('span', {}, text)) };
}
