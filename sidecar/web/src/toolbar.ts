import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { post } from './actions.ts';
import { JobsPanel } from './jobs-panel.ts';
import { t } from './language.ts';
import { SessionWatch } from './session-watch.ts';
import { StatusPanel } from './status-panel.ts';
import { bannerTexts, saveText } from './texts.ts';

/** What was dismissed stays away when the page is loaded again. */
const DISMISSED = 'dismissed-banner';
/** Nothing else tells when the cause of a refusal is gone. */
const REFUSAL_MS = 20_000;

/** The slim bar over the desktop: how safe the work is, and the few actions that belong to the browser. */
export class Toolbar {
  readonly #bar = element('bar');
  readonly #show = element<HTMLButtonElement>('bar-show');
  readonly #saveNow = element<HTMLButtonElement>('save-now');
  readonly #banner = element('banner');
  readonly #focusDesktop: () => void;
  readonly #status: StatusPanel;
  readonly #jobs: JobsPanel;
  readonly #watch = new SessionWatch();
  #dismissed = localStorage.getItem(DISMISSED) ?? '';
  #ownError = '';
  #ownErrorEnds = 0;
  #isAsking = false;

  constructor(focusDesktop: () => void) {
    this.#focusDesktop = focusDesktop;
    this.#status = new StatusPanel(focusDesktop, this.#watch);
    this.#jobs = new JobsPanel(focusDesktop);
    this.#saveNow.addEventListener('click', () => void this.#save());
    element('bar-hide').addEventListener('click', () => this.#setBar(false));
    this.#show.addEventListener('click', () => this.#setBar(true));
    element('fullscreen').addEventListener('click', () => void this.#toggleFullscreen());
    document.addEventListener('fullscreenchange', () => {
      const isFull = document.fullscreenElement !== null;
      element('fullscreen').setAttribute('aria-pressed', String(isFull));
      this.#setBar(!isFull);
      // Keys that the browser would take, such as Ctrl+W and Escape, go to the desktop. Chromium only.
      const { keyboard } = navigator as { keyboard?: { lock?: () => Promise<void>; unlock?: () => void } };
      if (isFull) void keyboard?.lock?.().catch(() => undefined);
      else keyboard?.unlock?.();
    });
    element('banner-close').addEventListener('click', () => {
      this.#dismissed = this.#banner.dataset.texts ?? '';
      localStorage.setItem(DISMISSED, this.#dismissed);
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
    setText(element('handle-state'), t().showBarState(save.text));
    this.#saveNow.disabled = save.isSaving || this.#isAsking || view.sync !== 'up';
    this.#status.render(view, now);
    this.#jobs.render(view, now);
    const others = t().othersLook(Math.max(0, view.viewers - 1), view.watchers);
    element('watched').hidden = others === '';
    setText(element('watched'), others);
    const trip = this.#watch.roundTripMs;
    setText(element('round-trip'), trip === undefined ? '' : t().roundTripShort(trip.toFixed(0)));
    const texts = [...this.#watch.notices(now), ...bannerTexts(view)];
    // The status tells it better, or has told it and it is over.
    const { lastError } = view.status?.save ?? { lastError: null };
    const isTold = texts.some((text) => text.includes(this.#ownError)) || lastError?.includes(this.#ownError);
    if (isTold || performance.now() > this.#ownErrorEnds) this.#ownError = '';
    this.#renderBanner([...(this.#ownError ? [this.#ownError] : []), ...texts]);
  }

  /** A dismissed banner stays away until it has something else to say. */
  #renderBanner(texts: string[]): void {
    const key = texts.join('\n');
    if (this.#banner.dataset.texts !== key) {
      this.#banner.dataset.texts = key;
      element('banner-text').replaceChildren(...texts.map((text) => textElement('p', '', text)));
    }
    this.#banner.hidden = key === '' || key === this.#dismissed;
  }

  async #save(): Promise<void> {
    this.#isAsking = true;
    this.#saveNow.disabled = true;
    this.#ownError = (await post('/save')).error ?? '';
    this.#ownErrorEnds = performance.now() + REFUSAL_MS;
    this.#isAsking = false;
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
