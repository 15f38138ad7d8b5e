import type { FormField } from '../../src/view-types.ts';
import { t } from './language.ts';
import { freshId, make } from './make.ts';

/** One question of a form: made of the schema of the stacks, in the language of the page. */

export interface FieldRow {
  readonly field: FormField;
  readonly row: HTMLElement;
  readonly input: HTMLInputElement | HTMLSelectElement;
  readonly value: () => string;
  /** What is allowed; undefined: it is right. */
  readonly setWrong: (allowed: string | undefined) => void;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export const labelOf = ({ key, label }: FormField): string => t().fields[key]?.label ?? capital(label);

export function fieldRow(field: FormField): FieldRow {
  const id = freshId('field');
  const text = t().fields[field.key];
  const hint = make('p', { class: 'hint', id: `${id}-hint` }, text?.description ?? field.description);
  const wrong = make('p', { class: 'error-text', id: `${id}-wrong`, role: 'alert' });
  const common = { id, name: field.key, 'aria-describedby': `${id}-hint ${id}-wrong` };
  const input = field.choices
    ? make('select', common, ...field.choices.map((choice) => option(choice, choice === field.preset)))
    : make('input', {
        ...common,
        type: 'text',
        value: field.preset,
        autocomplete: 'off',
        spellcheck: 'false',
      });
  return {
    field,
    input,
    row: make('div', { class: 'one' }, make('label', { for: id }, labelOf(field)), input, hint, wrong),
    value: () => input.value.trim(),
    setWrong: (allowed) => {
      wrong.textContent = allowed === undefined ? '' : t().allowed(text?.allowed ?? allowed);
      if (allowed === undefined) input.removeAttribute('aria-invalid');
      else input.setAttribute('aria-invalid', 'true');
    },
  };
}

const option = (value: string, isChosen: boolean) => make('option', { value, selected: isChosen }, value);
