import { element, setText } from '../shared/dom.ts';
import { t } from './language.ts';

/** As in `sidecar/contract/opening-code.ts`, which is not for browsers. */
export const OPENING_PATH = '/open';

/** Trades the code behind the `#` of the address, which a console made, for a session. */
export async function openByCode(): Promise<void> {
  const code = location.hash.slice(1);
  // It works once, and has no place in the history of the browser.
  history.replaceState(null, '', '/login');
  if (code === '') return;
  say(t().openingByCode, 'info');
  try {
    const answer = await fetch(OPENING_PATH, {
      method: 'POST',
      body: JSON.stringify({ code }),
      headers: { 'content-type': 'application/json' },
    });
    if (answer.ok) {
      location.replace('/');
      return;
    }
    const content = (await answer.json().catch(() => ({}))) as { message?: string; code?: string };
    say(t().answer(content.message ?? t().openingFailed, content.code ?? ''), 'error');
  } catch {
    say(t().openingFailed, 'error');
  }
}

function say(text: string, kind: 'info' | 'error'): void {
  const notice = element('notice');
  notice.dataset.kind = kind;
  setText(notice, text);
}
