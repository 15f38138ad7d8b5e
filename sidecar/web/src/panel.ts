import { element } from '../shared/dom.ts';

const open = new Set<Panel>();

/** A panel over the desktop, with the button that opens and closes it. One is open at a time; Escape closes it. */
export class Panel {
  readonly #panel: HTMLElement;
  readonly #toggle: HTMLElement;
  readonly #focusDesktop: () => void;
  readonly #onShow: () => void;

  /** Its elements are `<name>`, `<name>-toggle` and `<name>-close`. */
  constructor(name: string, focusDesktop: () => void, onShow: () => void = () => undefined) {
    this.#panel = element(name);
    this.#toggle = element(`${name}-toggle`);
    this.#focusDesktop = focusDesktop;
    this.#onShow = onShow;
    this.#toggle.addEventListener('click', () => (this.isShown ? this.hide() : this.show()));
    element(`${name}-close`).addEventListener('click', () => this.hide());
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.hide();
    });
  }

  get isShown(): boolean {
    return !this.#panel.hidden;
  }

  show(): void {
    for (const other of open) other.#set(false);
    this.#set(true);
    this.#panel.focus();
    this.#onShow();
  }

  hide(): void {
    this.#set(false);
    this.#focusDesktop();
  }

  #set(isShown: boolean): void {
    this.#panel.hidden = !isShown;
    this.#toggle.setAttribute('aria-expanded', String(isShown));
    if (isShown) open.add(this);
    else open.delete(this);
  }
}
