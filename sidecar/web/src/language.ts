import { cs } from './texts/cs.ts';
import { en, type Texts } from './texts/en.ts';

export const LANGUAGES = { en, cs } as const;
export type Language = keyof typeof LANGUAGES;

let current: Texts = en;

/** The sentences of the language that is set. */
export function t(): Texts {
  return current;
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
