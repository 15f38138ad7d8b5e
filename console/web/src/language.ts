import { numberFormats } from '../../../sidecar/web/shared/format.ts';
import { isLanguage } from '../../../sidecar/web/shared/languages.ts';
import type { Texts } from './texts/en.ts';
import { TEXTS } from './texts/index.ts';

let current: Texts = TEXTS.en;

/** The sentences of the language in which the console has sent the page. */
export const t = (): Texts => current;

export function takeLanguage(): void {
  const { lang } = document.documentElement;
  current = TEXTS[isLanguage(lang) ? lang : 'en'];
}

export const {
  formatBytes,
  formatCount: formatNumber,
  formatDuration,
  formatAgo,
  formatTime,
} = numberFormats(t);

/** How old something is. */
export const formatAge = (iso: string): string => formatDuration((Date.now() - Date.parse(iso)) / 1000);

export const ago = (iso: string): string => formatAgo((Date.now() - Date.parse(iso)) / 1000);
