import RFB from '@novnc/novnc';
import type { WatchView } from '../../src/gateway/session-view.ts';
import { element, setText } from '../shared/dom.ts';
import { formatDuration } from './format.ts';
import { t } from './language.ts';
import { translatePage } from './translate.ts';

/** The page of a link: the desktop to look at. That it is no more than that is seen to by the gateway. */

const RETRY_MS = 2000;
const ASK_EVERY_MS = 10_000;

const target = element('desktop');
let connection: RFB | undefined;
let hasEnded = false;

function say(title: string, text: string): void {
  element('watch-screen').hidden = true;
  element('watch-message').hidden = false;
  setText(element('watch-title'), title);
  setText(element('watch-text'), text);
}

/** Nothing of the desktop stays on the page. */
function end(): void {
  hasEnded = true;
  connection?.disconnect();
  connection = undefined;
  target.replaceChildren();
  say(t().linkEnded, t().linkEndedText);
}

/** How long the link lasts; undefined when the gateway cannot be reached. Ends the page when the link has ended. */
async function ask(): Promise<WatchView | undefined> {
  const secret = location.hash.slice(1);
  const request: RequestInit =
    secret === ''
      ? {}
      : { method: 'POST', body: JSON.stringify({ secret }), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(secret === '' ? '/watch/state' : '/watch/open', request).catch(() => undefined);
  if (answer?.status === 404 || answer?.status === 400) end();
  if (!answer?.ok) return undefined;
  const view = (await answer.json()) as WatchView;
  const { secondsLeft } = view;
  setText(element('watch-end'), secondsLeft === null ? '' : t().linkEndsIn(formatDuration(secondsLeft)));
  return view;
}

async function open(): Promise<void> {
  const view = await ask();
  if (hasEnded) return;
  if (view === undefined) {
    retry(t().networkDownWatch);
    return;
  }
  const url = new URL('/watch/desktop', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const opened = new RFB(target, url.href, { shared: true, wsProtocols: ['binary'] });
  connection = opened;
  opened.viewOnly = true;
  opened.scaleViewport = true;
  opened.background = 'transparent';
  opened.addEventListener('connect', () => {
    element('watch-message').hidden = true;
    element('watch-screen').hidden = false;
    document.body.dataset.desktop = 'connected';
  });
  opened.addEventListener('disconnect', () => {
    document.body.dataset.desktop = 'disconnected';
    if (!hasEnded) retry(t().watchClosedText);
  });
}

function retry(text: string): void {
  connection = undefined;
  target.replaceChildren();
  say(t().lost, text);
  setTimeout(() => void open(), RETRY_MS);
}

translatePage();
window.addEventListener('hashchange', () => location.reload());
setInterval(() => {
  if (!hasEnded && connection !== undefined) void ask();
}, ASK_EVERY_MS);
void open();
