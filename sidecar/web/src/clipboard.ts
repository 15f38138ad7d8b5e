import type RFB from '@novnc/novnc';
import { element, setText } from '../shared/dom.ts';
import { formatBytes } from './format.ts';
import { t } from './language.ts';
import { Panel } from './panel.ts';

/** What Xvnc takes and gives; the session starts it with this as `MaxCutText`, and hands it long texts whole. */
export const MAX_CLIPBOARD_BYTES = 8 * 1024 * 1024;

/**
 * Keeps the clipboards of browser and desktop the same where the browser allows it (it may ask the user), each way as
 * long as its switch is on, and offers a panel for the rest.
 */
export class Clipboard {
  readonly #panel: Panel;
  readonly #text = element<HTMLTextAreaElement>('clipboard-text');
  readonly #hint = element('clipboard-hint');
  readonly #in = element<HTMLInputElement>('clipboard-in');
  readonly #out = element<HTMLInputElement>('clipboard-out');
  readonly #connection: () => RFB | undefined;
  #lastSent = '';

  constructor(connection: () => RFB | undefined, focusDesktop: () => void) {
    this.#connection = connection;
    this.#panel = new Panel('clipboard', focusDesktop, () => {
      setText(element('clipboard-limit'), t().clipboardLimit(formatBytes(MAX_CLIPBOARD_BYTES)));
      this.#text.focus();
      this.#text.select();
    });
    for (const box of [this.#in, this.#out]) {
      box.checked = localStorage.getItem(box.id) !== 'off';
      box.addEventListener('change', () => localStorage.setItem(box.id, box.checked ? 'on' : 'off'));
    }
    element('clipboard-send').addEventListener('click', () => {
      if (this.send(this.#text.value)) this.#panel.hide();
    });
    window.addEventListener('focus', () => void this.#sendOwn());
  }

  /** The desktop's clipboard changed. */
  async received(text: string): Promise<void> {
    this.#text.value = text;
    this.#lastSent = text;
    if (!this.#out.checked) return;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      setText(this.#hint, t().clipboardNotWritable);
    }
  }

  /** @returns false, and says so in the panel, where it is more than the desktop takes */
  send(text: string): boolean {
    const size = new TextEncoder().encode(text).length;
    const isTooLong = size > MAX_CLIPBOARD_BYTES;
    setText(
      this.#hint,
      isTooLong
        ? t().clipboardTooLong(formatBytes(size), formatBytes(MAX_CLIPBOARD_BYTES))
        : t().clipboardHint,
    );
    if (isTooLong) {
      if (!this.#panel.isShown) this.#panel.show();
      return false;
    }
    this.#lastSent = text;
    this.#text.value = text;
    this.#connection()?.clipboardPasteFrom(text);
    return true;
  }

  /** Reads the browser's clipboard only where that was allowed before: asking at each change of windows would annoy. */
  async #sendOwn(): Promise<void> {
    if (!this.#in.checked) return;
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
}
