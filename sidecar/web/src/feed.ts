import { type GatewayView, VIEW_EVERY_MS } from '../../src/gateway/view.ts';

const POLL_MS = 2500;
/** A line may be dead without an end, e.g. after a night in another network. */
const SILENCE_MS = 2 * VIEW_EVERY_MS + POLL_MS;

export interface FeedListener {
  onView(view: GatewayView): void;
  /** The gateway cannot be reached; the feed keeps trying. */
  onLost(): void;
}

let isLeaving = false;

/** This page itself goes elsewhere, so there is nothing to ask. */
export function isLeavingByItself(): boolean {
  return isLeaving;
}

/** The session is over: the login page is the only place to go. */
export function goToLogin(): void {
  isLeaving = true;
  location.replace('/login');
}

/** Follows the gateway's view: by events, and by asking while the event stream is interrupted or silent. */
export function followView(listener: FeedListener): void {
  let events: EventSource;
  let poll: ReturnType<typeof setInterval> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  const stopPolling = () => {
    clearInterval(poll);
    poll = undefined;
  };
  const startPolling = () => {
    if (poll !== undefined) return;
    poll = setInterval(() => void ask(), POLL_MS);
    void ask();
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      events.close();
      open();
      startPolling();
    }, SILENCE_MS);
  };
  function open(): void {
    events = new EventSource('/events');
    events.addEventListener('view', (event) => {
      heard();
      stopPolling();
      listener.onView(JSON.parse(event.data) as GatewayView);
    });
    events.addEventListener('logout', goToLogin);
    events.addEventListener('error', startPolling);
    heard();
  }
  async function ask(): Promise<void> {
    try {
      const answer = await fetch('/view', { signal: AbortSignal.timeout(POLL_MS) });
      if (answer.status === 401) goToLogin();
      else if (answer.ok) listener.onView((await answer.json()) as GatewayView);
      else listener.onLost();
      // A stream that the browser has given up is opened once more by loading the page anew.
      if (answer.ok && events.readyState === EventSource.CLOSED) {
        isLeaving = true;
        location.reload();
      }
    } catch {
      listener.onLost();
    }
  }
  open();
}
