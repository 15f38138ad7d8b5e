import RFB from '@novnc/novnc';
import { type BackOff, backOffMs } from '../../src/back-off.ts';
import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText } from '../shared/dom.ts';
import { Clipboard } from './clipboard.ts';
import { goToLogin } from './feed.ts';
import { formatDuration } from './format.ts';
import { Keyboard } from './keyboard.ts';
import { t } from './language.ts';
import { Settings } from './settings.ts';
import { addTouch } from './touch.ts';

const AFTER_FAILURES: BackOff = { firstMs: 500, maxMs: 8000 };
const CONTROL = 0xffe3;
/** A drop that is mended faster than this is not worth a word. */
const OVERLAY_AFTER_MS = 300;

/** The remote desktop: one connection at a time, opened again whenever it drops, until `hide`. */
export class DesktopScreen {
  readonly #target = element('desktop');
  readonly #overlay = element('overlay');
  readonly #keyboard: Keyboard;
  readonly #clipboard: Clipboard;
  readonly #settings: Settings;
  #connection: RFB | undefined;
  #isShown = false;
  #isConnected = false;
  #isHanging = false;
  #attempts = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #overlayTimer: ReturnType<typeof setTimeout> | undefined;
  #countdown: ReturnType<typeof setInterval> | undefined;

  /**
   * @param onLeave the user wants out of the desktop, by the keyboard
   * @param onLanguage another language was chosen
   */
  constructor(onLeave: () => void, onLanguage: () => void) {
    const connection = () => this.#connection;
    this.#clipboard = new Clipboard(connection, () => this.focus());
    this.#keyboard = new Keyboard({ connection, onLeave, onPaste: (text) => this.#clipboard.send(text) });
    this.#settings = new Settings(connection, () => this.focus(), onLanguage);
    addTouch(this.#keyboard);
    element('overlay-retry').addEventListener('click', () => {
      if (this.#isHanging) this.#connection?.disconnect();
      else this.retryNow();
    });
    window.addEventListener('online', () => this.retryNow());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.retryNow();
    });
    // Several windows share one desktop: it has the size of the one that is worked in.
    window.addEventListener('focus', () => this.#setSize(true));
    window.addEventListener('blur', () => this.#setSize(false));
    window.addEventListener('pointerdown', () => this.#setSize(true), { capture: true, passive: true });
  }

  get isShown(): boolean {
    return this.#isShown;
  }

  show(): void {
    if (this.#isShown) return;
    this.#isShown = true;
    element('desktop-screen').hidden = false;
    this.#connect();
  }

  hide(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    element('desktop-screen').hidden = true;
    this.#clearTimers();
    this.#overlay.hidden = true;
    this.#connection?.disconnect();
    this.#connection = undefined;
    this.#target.replaceChildren();
  }

  focus(): void {
    this.#keyboard.focus();
  }

  /** A server that hangs keeps its connections: only the gateway, which asks it, sees that. */
  setAnswering(isAnswering: boolean): void {
    const isOpen = this.#isShown && this.#connection !== undefined;
    if (isAnswering || !isOpen) {
      // What follows a drop is shown and hidden by that.
      if (this.#isHanging && isOpen) this.#overlay.hidden = true;
      this.#isHanging = false;
      return;
    }
    if (this.#isHanging) return;
    this.#isHanging = true;
    setText(element('overlay-title'), t().desktopDown);
    setText(element('overlay-text'), t().desktopDownText);
    setText(element('overlay-attempt'), '');
    this.#overlay.hidden = false;
  }

  /** Ctrl or Cmd is down in the desktop, so what closes the tab was perhaps meant for it. */
  get hasControlDown(): boolean {
    return this.#keyboard.hasControlDown;
  }

  #setSize(isOurs: boolean): void {
    if (this.#connection) this.#connection.resizeSession = isOurs;
  }

  #connect(): void {
    this.#clearRetry();
    const url = new URL('/desktop', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const connection = new RFB(this.#target, url.href, { shared: true, wsProtocols: ['binary'] });
    this.#connection = connection;
    connection.background = 'transparent';
    connection.focusOnClick = false;
    connection.resizeSession = document.hasFocus();
    connection.scaleViewport = true;
    connection.addEventListener('connect', () => this.#connected());
    connection.addEventListener('clipboard', ({ detail }) => void this.#clipboard.received(detail.text));
    connection.addEventListener('disconnect', () => {
      if (connection === this.#connection) void this.#dropped();
    });
  }

  #connected(): void {
    this.#isConnected = true;
    this.#attempts = 0;
    this.#clearTimers();
    this.#settings.apply();
    this.#overlay.hidden = true;
    for (const stale of this.#target.querySelectorAll('.last-picture')) stale.remove();
    document.body.dataset.desktop = 'connected';
    // Xvnc takes the layout of its own keyboard at the first key of that, and so loses a letter that it has just added.
    this.#connection?.sendKey(CONTROL, null);
    if (document.activeElement === document.body || this.#overlay.contains(document.activeElement)) {
      this.focus();
    }
    this.#rememberCanvas();
  }

  #canvas: HTMLCanvasElement | null = null;

  #rememberCanvas(): void {
    this.#canvas = this.#target.querySelector('canvas');
  }

  /** noVNC takes its canvas away at once; the last picture stays behind the overlay, so that nobody loses the place. */
  #keepPicture(): void {
    const canvas = this.#canvas;
    this.#canvas = null;
    if (!canvas || canvas.width === 0) return;
    const copy = document.createElement('canvas');
    copy.className = 'last-picture';
    copy.width = canvas.width;
    copy.height = canvas.height;
    copy.getContext('2d')?.drawImage(canvas, 0, 0);
    this.#target.replaceChildren(copy);
  }

  async #dropped(): Promise<void> {
    document.body.dataset.desktop = 'disconnected';
    this.#isHanging = false;
    if (!this.#isShown) return;
    if (this.#isConnected) this.#keepPicture();
    this.#isConnected = false;
    this.#connection = undefined;
    this.#overlayTimer ??= setTimeout(() => {
      this.#overlay.hidden = false;
      element('overlay-retry').focus();
    }, OVERLAY_AFTER_MS);
    this.#attempts += 1;
    this.#scheduleRetry(backOffMs(this.#attempts, AFTER_FAILURES));
    await this.#explain();
  }

  /** Says why: the session, the network, or the desktop itself. */
  async #explain(): Promise<void> {
    let title = t().lost;
    let text = t().lostText;
    try {
      const answer = await fetch('/view');
      if (answer.status === 401) goToLogin();
      const { desktopAnswers } = (await answer.json()) as GatewayView;
      if (!desktopAnswers) {
        title = t().desktopDown;
        text = t().desktopDownText;
      }
    } catch {
      text = t().networkDown;
    }
    setText(element('overlay-title'), title);
    setText(element('overlay-text'), text);
  }

  #scheduleRetry(delayMs: number): void {
    this.#clearRetry();
    const at = performance.now() + delayMs;
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    const show = () => {
      const seconds = Math.ceil((at - performance.now()) / 1000);
      setText(element('overlay-attempt'), seconds > 1 ? t().nextTry(formatDuration(seconds)) : t().trying);
    };
    show();
    this.#countdown = setInterval(show, 500);
  }

  /** Does nothing while a connection is open or being opened. */
  retryNow(): void {
    if (this.#isShown && this.#retryTimer !== undefined) this.#connect();
  }

  #clearRetry(): void {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#countdown);
    this.#retryTimer = undefined;
  }

  #clearTimers(): void {
    this.#clearRetry();
    clearTimeout(this.#overlayTimer);
    this.#overlayTimer = undefined;
  }
}
