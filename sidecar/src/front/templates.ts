import type { Language } from '../../web/shared/languages.ts';

/** Pages as files: what a server fills in before it sends them. */

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

/**
 * Fills `{{name}}` with the escaped value of that name.
 * @throws Error when the template names a value that is not given: a mistake in the page, not in its data.
 */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The page asks for "${name}", which is not among its values.`);
    return escapeHtml(value);
  });
}

/** Puts the sentences of a language where `data-t` names them in the page, which is written in English. */
export function translateTemplate(
  template: string,
  language: Language,
  texts: Readonly<Record<string, unknown>>,
): string {
  return template
    .replace('<html lang="en">', `<html lang="${language}">`)
    .replace(/(\sdata-t="(\w+)"[^>]*>)[^<]*/g, (whole, start: string, key: string) => {
      const text = texts[key];
      return typeof text === 'string' ? start + escapeHtml(text) : whole;
    });
}
