import type { Language } from '../shared/languages.ts';
import { cs } from './texts/cs.ts';
import { en, type Texts } from './texts/en.ts';

export const LANGUAGES = { en, cs } as const satisfies Record<Language, Texts>;

let current: Texts = en;

/** The sentences of the language that is set. */
export function t(): Texts {
  return current;
}

export function setLanguage(language: Language): void {
  current = LANGUAGES[language];
}
