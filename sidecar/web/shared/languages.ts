/** The languages of all pages. */

export const LANGUAGE_NAMES = ['en', 'cs'] as const;
export type Language = (typeof LANGUAGE_NAMES)[number];
/** Cookie of what was chosen in this browser. Read by the server, so that pages come in it without scripts, too. */
export const LANGUAGE_COOKIE = '__Host-scipion-language';
export const LANGUAGE_SECONDS = 365 * 24 * 3600;

export function isLanguage(name: unknown): name is Language {
  return LANGUAGE_NAMES.includes(name as Language);
}

/** What was chosen in this browser, else the first language of the browser that the page speaks. */
export function preferredLanguage(stored: string | null, wished: readonly string[]): Language {
  // Who reads Slovak reads Czech.
  const tags = [stored ?? '', ...wished].map((tag) => tag.slice(0, 2).toLowerCase().replace('sk', 'cs'));
  return tags.find(isLanguage) ?? 'en';
}
