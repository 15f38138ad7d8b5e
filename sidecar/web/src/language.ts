import { cs } from './texts/cs.ts';
import { en, type Texts } from './texts/en.ts';

export const LANGUAGES = { en, cs } as const;
export type Language = keyof typeof LANGUAGES;
/** Cookie of what was chosen in this browser. Read by the gateway, so that pages come in it without scripts, too. */
export const LANGUAGE_COOKIE = '__Host-scipion-language';
export const LANGUAGE_SECONDS = 365 * 24 * 3600;

let current: Texts = en;

/** The sentences of the language that is set. */
export function t(): Texts {
  return current;
}

export function isLanguage(name: unknown): name is Language {
  return typeof name === 'string' && Object.hasOwn(LANGUAGES, name);
}

export function setLanguage(language: Language): void {
  current = LANGUAGES[language];
}

/** What was chosen in this browser, else the first language of the browser that the page speaks. */
export function preferredLanguage(stored: string | null, wished: readonly string[]): Language {
  const known = Object.keys(LANGUAGES) as Language[];
  // Who reads Slovak reads Czech.
  const tags = [stored ?? '', ...wished].map((tag) => tag.slice(0, 2).toLowerCase().replace('sk', 'cs'));
  return known.find((language) => language === tags.find((tag) => known.includes(tag as Language))) ?? 'en';
}
