import { element } from '../shared/dom.ts';
import type { Keyboard } from './keyboard.ts';

/** On a phone or tablet: a keyboard on the screen with the keys that it lacks, and moving over the desktop. */
export function addTouch(keyboard: Keyboard): void {
  if (!matchMedia('(pointer: coarse)').matches) return;
  document.body.dataset.touch = 'true';
  keyboard.useTouch();
  const keyboardToggle = element('keyboard-toggle');
  const moveToggle = element('move-toggle');
  const setMove = (isOn: boolean): void => {
    moveToggle.setAttribute('aria-pressed', String(isOn));
    // It lies over the desktop and scrolls with it, as any page does; noVNC would take the touches.
    element('pan').hidden = !isOn;
  };
  keyboardToggle.addEventListener('click', () => {
    const isOn = !keyboard.isOnScreen;
    keyboardToggle.setAttribute('aria-pressed', String(isOn));
    element('keys').hidden = !isOn;
    setMove(false);
    keyboard.isOnScreen = isOn;
  });
  moveToggle.addEventListener('click', () => setMove(moveToggle.getAttribute('aria-pressed') !== 'true'));
  for (const button of element('keys').querySelectorAll<HTMLButtonElement>('button')) {
    // The field keeps the focus, and with it the keyboard on the screen.
    button.addEventListener('pointerdown', (event) => event.preventDefault());
    button.addEventListener('click', () => {
      const { key, modifier } = button.dataset;
      if (key !== undefined) keyboard.press(Number(key));
      if (modifier !== undefined) keyboard.hold(Number(modifier), button);
      keyboard.focus();
    });
  }
}
