import { element } from '../shared/dom.ts';
import { formatDuration } from './format.ts';
import { t } from './language.ts';
import { OPENING_PATH, openByCode } from './opening.ts';
import { translatePage } from './translate.ts';

/** Conveniences of the login page; it works without them. */

/** The form for the password, where there is one. */
interface Form {
  readonly password: HTMLInputElement;
  readonly submit: HTMLButtonElement;
  readonly wait: HTMLElement;
}

function countDown({ password, submit, wait }: Form, seconds: number): void {
  const endsAt = performance.now() + seconds * 1000;
  submit.disabled = true;
  const timer = setInterval(show, 500);
  function show(): void {
    const left = Math.ceil((endsAt - performance.now()) / 1000);
    if (left > 0) {
      element('countdown').textContent = formatDuration(left);
      return;
    }
    clearInterval(timer);
    wait.hidden = true;
    element('notice').dataset.kind = 'none';
    submit.disabled = false;
    password.focus();
  }
  show();
}

function watchCapsLock(event: KeyboardEvent): void {
  element('caps').hidden = !event.getModifierState('CapsLock');
}

/** A link from elsewhere arrives without the strict cookie; a request of this page itself carries it. */
async function enterIfLoggedIn(): Promise<void> {
  const answer = await fetch('/session');
  const { loggedIn } = (await answer.json()) as { loggedIn: boolean };
  if (loggedIn) location.replace('/');
}

function serveForm(form: Form): void {
  const { password, wait } = form;
  const reveal = element<HTMLButtonElement>('reveal');
  reveal.hidden = false;
  reveal.addEventListener('click', () => {
    const isShown = password.type === 'text';
    password.type = isShown ? 'password' : 'text';
    reveal.textContent = isShown ? t().reveal : t().conceal;
    reveal.setAttribute('aria-pressed', String(!isShown));
    password.focus();
  });
  password.addEventListener('keydown', watchCapsLock);
  password.addEventListener('keyup', watchCapsLock);
  if (element('notice').dataset.kind === 'error' && wait.dataset.seconds === '0')
    password.setAttribute('aria-invalid', 'true');
  password.focus();
  const seconds = Number(wait.dataset.seconds);
  if (seconds > 0) countDown(form, seconds);
}

translatePage();
const isWaiting = document.querySelector('#wait:not([data-seconds="0"])') !== null;
if (document.getElementById('login') !== null) {
  serveForm({ password: element('password'), submit: element('submit'), wait: element('wait') });
}
if (location.pathname === OPENING_PATH) void openByCode();
else if (location.pathname === '/login' && !isWaiting) void enterIfLoggedIn().catch(() => undefined);
