import type RFB from '@novnc/novnc';
import { element } from './dom.ts';

/**
 * Keeps the clipboards of browser and desktop the same where the browser allows it (it may ask the user), and offers
 * a panel for the rest.
 */
export class Clipboard {
  readonly #panel = element('clipboard');
  readonly #toggle = element<HTMLButtonElement>('clipboard-toggle');
  readonly #text = element<HTMLTextAreaElement>('clipboard-text');
  readonly #hint = element('clipboard-hint');
  readonly #connection: () => RFB | undefined;
  readonly #focusDesktop: () => void;
  #lastSent = '';

  constructor(connection: () => RFB | undefined, focusDesktop: () => void) {
    this.#connection = connection;
    this.#focusDesktop = focusDesktop;
    this.#toggle.addEventListener('click', () => this.#show(this.#panel.hidden !== false));
    element('clipboard-close').addEventListener('click', () => this.#show(false));
    element('clipboard-send').addEventListener('click', () => {
      this.send(this.#text.value);
      this.#show(false);
    });
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#show(false);
    });
    window.addEventListener('focus', () => void this.#sendOwn());
  }

  /** The desktop's clipboard changed. */
  async received(text: string): Promise<void> {
    this.#text.value = text;
    this.#lastSent = text;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      this.#hint.textContent =
        'Your browser does not let this page write its clipboard: copy the text from here.';
    }
  }

  /** Reads the browser's clipboard only where that was allowed before: asking at each change of windows would annoy. */
  async #sendOwn(): Promise<void> {
    try {
      const name = 'clipboard-read' as PermissionName;
      const { state } = await navigator.permissions.query({ name });
      if (state !== 'granted') return;
      const text = await navigator.clipboard.readText();
      if (text !== '' && text !== this.#lastSent) this.send(text);
    } catch {
      // A browser without this permission or clipboard: the panel serves instead.
    }
  }

  send(text: string): void {
    this.#lastSent = text;
    this.#text.value = text;
    this.#connection()?.clipboardPasteFrom(text);
  }

  #show(isShown: boolean): void {
    this.#panel.hidden = !isShown;
    this.#toggle.setAttribute('aria-expanded', String(isShown));
    if (isShown) {
      this.#text.focus();
      this.#text.select();
    } else {
      this.#focusDesktop();
    }
  }
}
