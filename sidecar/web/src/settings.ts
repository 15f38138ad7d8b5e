import type RFB from '@novnc/novnc';
import { element } from '../shared/dom.ts';
import type { Language } from '../shared/languages.ts';
import { LANGUAGES } from './language.ts';
import { Panel } from './panel.ts';
import { askSession } from './session-watch.ts';
import { SessionsList } from './sessions-list.ts';
import { SharesList } from './shares-list.ts';
import { chooseLanguage } from './translate.ts';

/** Quality of JPEG pictures and effort of compression, each from 0 to 9. */
const PICTURES = { high: [9, 1], middle: [6, 2], low: [2, 7] } as const;
/** A line with a longer way than this is taken for a slow one. */
const SLOW_MS = 150;

/** How this browser shows the desktop. Kept in the browser, except that one only looks. */
export class Settings {
  readonly #quality = element<HTMLSelectElement>('quality');
  readonly #viewOnly = element<HTMLInputElement>('view-only');
  readonly #connection: () => RFB | undefined;

  constructor(connection: () => RFB | undefined, focusDesktop: () => void, onLanguage: () => void) {
    this.#connection = connection;
    const sessions = new SessionsList();
    new Panel('settings', focusDesktop, () => void sessions.load());
    const shares = new SharesList();
    new Panel('share', focusDesktop, () => void shares.load());
    const language = element<HTMLSelectElement>('language');
    language.value = document.documentElement.lang;
    language.addEventListener('change', () => {
      if (language.value in LANGUAGES) chooseLanguage(language.value as Language);
      onLanguage();
    });
    this.#quality.value = localStorage.getItem('quality') ?? 'auto';
    if (this.#quality.value === '') this.#quality.value = 'auto';
    this.#quality.addEventListener('change', () => {
      localStorage.setItem('quality', this.#quality.value);
      this.apply();
    });
    this.#viewOnly.addEventListener('change', () => this.apply());
  }

  /** To be called for each new connection. */
  apply(): void {
    const connection = this.#connection();
    if (!connection) return;
    connection.viewOnly = this.#viewOnly.checked;
    const wish = this.#quality.value;
    if (wish === 'high' || wish === 'low') {
      [connection.qualityLevel, connection.compressionLevel] = PICTURES[wish];
      return;
    }
    void askSession()
      .then(({ roundTripMs }) => {
        const kind = roundTripMs > SLOW_MS ? 'low' : 'middle';
        [connection.qualityLevel, connection.compressionLevel] = PICTURES[kind];
      })
      .catch(() => undefined);
  }
}
