import { element } from './dom.ts';
import { formatDuration } from './format.ts';
import { t } from './language.ts';
import { translatePage } from './translate.ts';

/** Conveniences of the login page; it works without them. */

const password = element<HTMLInputElement>('password');
const submit = element<HTMLButtonElement>('submit');
const reveal = element<HTMLButtonElement>('reveal');
const wait = element('wait');

function countDown(seconds: number): void {
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
  if (location.pathname !== '/login' || wait.dataset.seconds !== '0') return;
  const answer = await fetch('/session');
  const { loggedIn } = (await answer.json()) as { loggedIn: boolean };
  if (loggedIn) location.replace('/');
}

translatePage();
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
if (seconds > 0) countDown(seconds);
void enterIfLoggedIn().catch(() => undefined);
