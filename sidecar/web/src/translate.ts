import { type Language, preferredLanguage, setLanguage, t } from './language.ts';
import type { Texts } from './texts/en.ts';

const STORED = 'language';

/** Sets the language of the page and puts its sentences where `data-t`, `data-t-title` and `data-t-label` name them. */
export function translatePage(language = preferredLanguage(stored(), navigator.languages)): void {
  setLanguage(language);
  document.documentElement.lang = language;
  const textOf = (key: string | undefined): string => {
    const text = t()[key as keyof Texts];
    return typeof text === 'string' ? text : '';
  };
  for (const found of document.querySelectorAll<HTMLElement>('[data-t], [data-t-title], [data-t-label]')) {
    const { t: text, tTitle, tLabel } = found.dataset;
    if (text !== undefined) found.textContent = textOf(text);
    if (tTitle !== undefined) found.title = textOf(tTitle);
    if (tLabel !== undefined) found.setAttribute('aria-label', textOf(tLabel));
  }
}

export function chooseLanguage(language: Language): void {
  localStorage.setItem(STORED, language);
  translatePage(language);
}

function stored(): string | null {
  return localStorage.getItem(STORED);
}
