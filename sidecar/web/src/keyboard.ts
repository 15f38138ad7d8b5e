import type RFB from '@novnc/novnc';
import { element } from '../shared/dom.ts';

/** Something that a keyboard on the screen can delete; it sends no key for that, it changes the text. */
const PADDING = '_'.repeat(24);
const MAX_KEPT = 200;
const LETTER_MS = 15;

const NAMED_KEYS: Record<string, string> = { '\n': 'Enter', '\r': 'Enter', '\t': 'Tab' };

/** What to take back and what to write, in characters, so that `before` becomes `after`. */
export function editOf(before: string, after: string): { remove: number; write: string } {
  const [old, fresh] = [[...before], [...after]];
  let same = 0;
  while (same < old.length && old[same] === fresh[same]) same += 1;
  return { remove: old.length - same, write: fresh.slice(same).join('') };
}

export interface KeyboardOptions {
  readonly connection: () => RFB | undefined;
  /** The user wants out of the desktop. */
  readonly onLeave: () => void;
  /** The user pastes: this goes to the desktop before the keys do. */
  readonly onPaste: (text: string) => void;
}

/**
 * Takes what is typed and gives it to the desktop. It has the focus in the place of noVNC's canvas, because input
 * methods, dead keys, keyboards on the screen and pasting work in a text field only. Plain keys go on to noVNC as they
 * are; text that arrives without keys is sent letter by letter.
 */
export class Keyboard {
  readonly #field = element<HTMLTextAreaElement>('keyboard');
  readonly #options: KeyboardOptions;
  /** Keys that are down in the desktop, by their code. */
  readonly #down = new Map<string, KeyboardEvent>();
  #sent = PADDING;
  /** Modifiers of the on-screen row that hold for the next key, with the button of each. */
  readonly #held = new Map<number, HTMLElement>();
  /** What is to be sent after the letters before it. */
  readonly #waiting: (() => void)[] = [];
  #sender: ReturnType<typeof setTimeout> | undefined;
  #pasting: { event: KeyboardEvent; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(options: KeyboardOptions) {
    this.#options = options;
    const field = this.#field;
    field.value = PADDING;
    field.addEventListener('keydown', (event) => this.#keyDown(event));
    field.addEventListener('keyup', (event) => this.#keyUp(event));
    field.addEventListener('compositionstart', () => field.classList.add('composing'));
    field.addEventListener('compositionend', () => {
      field.classList.remove('composing');
      this.#sendChange();
    });
    field.addEventListener('input', (event) => {
      // A keyboard on the screen composes each word; there the letters go out while it does.
      if (!(event as InputEvent).isComposing || this.isOnScreen) this.#sendChange();
    });
    field.addEventListener('paste', (event) => {
      event.preventDefault();
      const text = event.clipboardData?.getData('text/plain') ?? '';
      if (text !== '') options.onPaste(text);
      this.#endPaste();
    });
    field.addEventListener('blur', () => this.release());
    const viewport = element('viewport');
    for (const type of ['mousedown', 'touchstart'] as const) {
      viewport.addEventListener(type, (event) => this.#touched(event), { capture: true, passive: true });
    }
  }

  /** Whether the browser is to show its keyboard on the screen. */
  get isOnScreen(): boolean {
    return this.#field.inputMode === 'text';
  }

  set isOnScreen(isOn: boolean) {
    this.#field.blur();
    this.#field.inputMode = isOn ? 'text' : 'none';
    this.focus();
  }

  /** A device with keys of its own gets them anyway; without, a tap on the desktop must not bring up a keyboard. */
  useTouch(): void {
    this.#field.inputMode = 'none';
  }

  focus(): void {
    this.#field.focus({ preventScroll: true });
  }

  get hasControlDown(): boolean {
    return [...this.#down.values()].some(({ key }) => key === 'Control' || key === 'Meta');
  }

  /** Lets go of every key, so that none stays down in the desktop. */
  release(): void {
    this.#endPaste();
    for (const event of this.#down.values()) this.#forward(new KeyboardEvent('keyup', event));
    this.#down.clear();
  }

  /** A key of the on-screen row. */
  press(keysym: number): void {
    this.#options.connection()?.sendKey(keysym, null);
    this.#releaseHeld();
  }

  /** A modifier of the on-screen row: holds until the next key, or until it is pressed again. */
  hold(keysym: number, button: HTMLElement): void {
    const isDown = !this.#held.has(keysym);
    if (isDown) this.#held.set(keysym, button);
    else this.#held.delete(keysym);
    button.setAttribute('aria-pressed', String(isDown));
    this.#options.connection()?.sendKey(keysym, null, isDown);
  }

  #releaseHeld(): void {
    for (const [keysym, button] of this.#held) this.hold(keysym, button);
  }

  #keyDown(event: KeyboardEvent): void {
    this.#endPaste();
    // An input method or a dead key has it; its text comes as a change of the field.
    if (event.isComposing || event.keyCode === 229 || event.key === 'Dead') return;
    if (leaves(event)) {
      event.preventDefault();
      this.release();
      this.#options.onLeave();
      return;
    }
    if (isPaste(event)) {
      // The browser now sends `paste`, with the text, unless there is none.
      this.#pasting = { event, timer: setTimeout(() => this.#endPaste(), 100) };
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (event.key.length > 1 && [...event.key].length === 1) this.#sendText(event.key);
    else this.#press(event);
  }

  #press(event: KeyboardEvent): void {
    if (event.code !== '') this.#down.set(event.code, event);
    this.#key(event);
    this.#releaseHeld();
  }

  #keyUp(event: KeyboardEvent): void {
    this.#endPaste();
    event.preventDefault();
    this.#down.delete(event.code);
    this.#key(event);
  }

  /** A key keeps its place behind the text before it. */
  #key(event: KeyboardEvent): void {
    if (this.#sender === undefined) this.#forward(event);
    else this.#enqueue(() => this.#forward(event));
  }

  #endPaste(): void {
    const pasting = this.#pasting;
    if (pasting === undefined) return;
    this.#pasting = undefined;
    clearTimeout(pasting.timer);
    this.#press(pasting.event);
  }

  /** noVNC listens at its canvas. */
  #forward(event: KeyboardEvent): void {
    const modifiers = {
      modifierAltGraph: event.getModifierState('AltGraph'),
      modifierCapsLock: event.getModifierState('CapsLock'),
      modifierNumLock: event.getModifierState('NumLock'),
    };
    const { key, code, location, keyCode, ctrlKey, altKey, shiftKey, metaKey } = event;
    const init = { key, code, location, keyCode, ctrlKey, altKey, shiftKey, metaKey, ...modifiers };
    const canvas = document.querySelector('#desktop canvas:not(.last-picture)');
    canvas?.dispatchEvent(new KeyboardEvent(event.type, { ...init, cancelable: true }));
  }

  #sendText(text: string): void {
    for (const character of text) this.#enqueue(() => this.#send(NAMED_KEYS[character] ?? character));
  }

  /** At once where nothing waits; else in turn. */
  #enqueue(send: () => void): void {
    this.#waiting.push(send);
    if (this.#sender === undefined) this.#sendNext();
  }

  /** A letter that its layout lacks changes the layout of the desktop; programs lose letters that come on its heels. */
  #sendNext(): void {
    const send = this.#waiting.shift();
    send?.();
    this.#sender = send === undefined ? undefined : setTimeout(() => this.#sendNext(), LETTER_MS);
  }

  /** A key without a place on the keyboard; noVNC knows which keysyms the layouts of X have for characters of 16 bits. */
  #send(key: string): void {
    const isNamed = key.length > 1 && key.codePointAt(0) === key.charCodeAt(0);
    if (key.length === 1 || isNamed) this.#forward(new KeyboardEvent('keydown', { key }));
    else this.#options.connection()?.sendKey(0x0100_0000 + (key.codePointAt(0) ?? 0), null);
  }

  /** The text of the field changed without a key. */
  #sendChange(): void {
    const { remove, write } = editOf(this.#sent, this.#field.value);
    for (let count = 0; count < remove; count += 1) this.#enqueue(() => this.#send('Backspace'));
    this.#sendText(write);
    this.#releaseHeld();
    this.#sent = this.#field.value;
    const isKept = this.isOnScreen && this.#sent.length > 4 && this.#sent.length < MAX_KEPT;
    if (isKept || this.#field.classList.contains('composing')) return;
    this.#field.value = PADDING;
    this.#sent = PADDING;
  }

  /** Where the desktop is touched the keyboard belongs to it; an input method shows its suggestions there. */
  #touched(event: MouseEvent | TouchEvent): void {
    const { clientX, clientY } =
      'touches' in event ? (event.touches[0] ?? { clientX: 0, clientY: 0 }) : event;
    const { left, top } = element('viewport').getBoundingClientRect();
    this.#field.style.left = `${Math.max(0, clientX - left)}px`;
    this.#field.style.top = `${Math.max(0, clientY - top)}px`;
    this.focus();
  }
}

/** Ctrl, Alt and Shift together; AltGr is Ctrl and Alt on Windows, and belongs to the layout. */
function leaves(event: KeyboardEvent): boolean {
  const { ctrlKey, altKey, shiftKey, code, key } = event;
  const isModifier = ['Control', 'Alt', 'Shift'].includes(key);
  return (
    isModifier &&
    (ctrlKey || key === 'Control') &&
    (altKey || key === 'Alt') &&
    (shiftKey || key === 'Shift') &&
    code !== 'AltRight' &&
    !event.getModifierState('AltGraph')
  );
}

function isPaste({ key, ctrlKey, shiftKey, altKey, metaKey }: KeyboardEvent): boolean {
  if (altKey) return false;
  return ((ctrlKey || metaKey) && key.toLowerCase() === 'v') || (shiftKey && !ctrlKey && key === 'Insert');
}
