import { isLanguage, LANGUAGE_COOKIE, LANGUAGE_SECONDS, type Language } from '../shared/languages.ts';
import { setLanguage, t } from './language.ts';
import type { Texts } from './texts/en.ts';

/** Goes on in the language in which the gateway has sent the page. */
export function translatePage(): void {
  const { lang } = document.documentElement;
  translateTo(isLanguage(lang) ? lang : 'en');
}

/** Sets the language of the page and puts its sentences where `data-t`, `data-t-title` and `data-t-label` name them. */
function translateTo(language: Language): void {
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
  // biome-ignore lint/suspicious/noDocumentCookie: CookieStore is not in every browser that can show the desktop.
  document.cookie = `${LANGUAGE_COOKIE}=${language}; Path=/; Max-Age=${LANGUAGE_SECONDS}; Secure; SameSite=Lax`;
  translateTo(language);
}
