import type { SessionEnd } from '../../src/gateway/session-view.ts';
import { loginNotices } from './texts.ts';

const ASK_EVERY_MS = 10_000;

/** What one small request to the gateway tells: how long it took, and when the login ends. */
export async function askSession(): Promise<SessionEnd & { readonly roundTripMs: number }> {
  const began = performance.now();
  const answer = await fetch('/session', { cache: 'no-store' });
  const roundTripMs = performance.now() - began;
  return { ...((await answer.json()) as SessionEnd), roundTripMs };
}

/** Asks now and then while the page is seen. */
export class SessionWatch {
  roundTripMs: number | undefined;
  #end: SessionEnd | undefined;

  constructor() {
    setInterval(() => void this.ask(), ASK_EVERY_MS);
    void this.ask();
  }

  async ask(): Promise<void> {
    if (document.visibilityState !== 'visible') return;
    try {
      const { roundTripMs, ...end } = await askSession();
      this.roundTripMs = roundTripMs;
      this.#end = end;
    } catch {
      this.roundTripMs = undefined;
    }
  }

  /** Sentences of the banner. @param now in ms since 1970, by the gateway's clock */
  notices(now: number): string[] {
    return loginNotices(this.#end, now);
  }
}
