import type { GatewayView } from '../../src/gateway/view.ts';

const POLL_MS = 2500;

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

/** Follows the gateway's view: by events, and by asking while the event stream is interrupted. */
export function followView(listener: FeedListener): void {
  const events = new EventSource('/events');
  let poll: ReturnType<typeof setInterval> | undefined;
  const stopPolling = () => {
    clearInterval(poll);
    poll = undefined;
  };
  events.addEventListener('view', (event) => {
    stopPolling();
    listener.onView(JSON.parse(event.data) as GatewayView);
  });
  events.addEventListener('logout', goToLogin);
  events.addEventListener('error', () => {
    if (poll !== undefined) return;
    poll = setInterval(() => void ask(), POLL_MS);
    void ask();
  });
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
}
