import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText, textElement } from './dom.ts';
import { bannerTexts, saveText } from './texts.ts';

/** The slim bar over the desktop: how safe the work is, and the few actions that belong to the browser. */
export class Toolbar {
  readonly #bar = element('bar');
  readonly #show = element<HTMLButtonElement>('bar-show');
  readonly #saveNow = element<HTMLButtonElement>('save-now');
  readonly #banner = element('banner');
  readonly #focusDesktop: () => void;
  #dismissed = '';
  #ownError = '';
  #isAsking = false;

  constructor(focusDesktop: () => void) {
    this.#focusDesktop = focusDesktop;
    this.#saveNow.addEventListener('click', () => void this.#save());
    element('bar-hide').addEventListener('click', () => this.#setBar(false));
    this.#show.addEventListener('click', () => this.#setBar(true));
    element('fullscreen').addEventListener('click', () => void this.#toggleFullscreen());
    document.addEventListener('fullscreenchange', () => {
      const isFull = document.fullscreenElement !== null;
      element('fullscreen').setAttribute('aria-pressed', String(isFull));
      this.#setBar(!isFull);
    });
    element('banner-close').addEventListener('click', () => {
      this.#dismissed = this.#banner.dataset.texts ?? '';
      this.#ownError = '';
      this.#banner.hidden = true;
      this.#focusDesktop();
    });
  }

  /** Comes out of the desktop: the bar is shown, and its first button has the focus. */
  takeFocus(): void {
    this.#bar.hidden = false;
    this.#show.hidden = true;
    this.#saveNow.focus();
  }

  render(view: GatewayView, now: number): void {
    const save = saveText(view, now);
    const state = element('save-state');
    setText(state, save.text);
    state.dataset.kind = save.kind;
    this.#show.dataset.kind = save.kind;
    setText(element('handle-state'), `Show the bar. ${save.text}`);
    this.#saveNow.disabled = save.isSaving || this.#isAsking || view.sync !== 'up';
    this.#renderBanner([...(this.#ownError ? [this.#ownError] : []), ...bannerTexts(view)]);
  }

  /** A dismissed banner stays away until it has something else to say. */
  #renderBanner(texts: string[]): void {
    const key = texts.join('\n');
    if (key === '') this.#dismissed = '';
    if (this.#banner.dataset.texts !== key) {
      this.#banner.dataset.texts = key;
      element('banner-text').replaceChildren(...texts.map((text) => textElement('p', '', text)));
    }
    this.#banner.hidden = key === '' || key === this.#dismissed;
  }

  async #save(): Promise<void> {
    this.#isAsking = true;
    this.#saveNow.disabled = true;
    try {
      const answer = await fetch('/save', { method: 'POST' });
      const { message } = (await answer.json()) as { message?: string };
      this.#ownError = answer.ok ? '' : (message ?? 'The projects could not be saved now.');
    } catch {
      this.#ownError = 'The instance cannot be reached, so nothing was saved now. Try again in a moment.';
    }
    this.#isAsking = false;
    if (this.#ownError) this.#renderBanner([this.#ownError]);
    this.#focusDesktop();
  }

  #setBar(isShown: boolean): void {
    this.#bar.hidden = !isShown;
    this.#show.hidden = isShown;
    this.#focusDesktop();
  }

  async #toggleFullscreen(): Promise<void> {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
  }
}
