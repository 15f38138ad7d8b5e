import type { SessionView } from '../../src/gateway/session-view.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { post } from './actions.ts';
import { formatAgo, formatTime } from './format.ts';
import { t } from './language.ts';

const BROWSERS = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'];
const NAMES: Readonly<Record<string, string>> = { Edg: 'Edge', OPR: 'Opera' };
const SYSTEMS = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'];

/** What a person calls the browser that calls itself so. */
export function browserName(agent: string): string {
  const browser = BROWSERS.find((name) => agent.includes(`${name}/`));
  const system = SYSTEMS.find((name) => agent.includes(name));
  if (browser === undefined) return t().unknownBrowser;
  return [NAMES[browser] ?? browser, ...(system === undefined ? [] : [system])].join(', ');
}

/** The browsers that are logged in, and the way to end all but this one. */
export class SessionsList {
  constructor() {
    element('end-others').addEventListener('click', () => {
      void post('/sessions/end-others').then(async ({ error }) => {
        await this.load();
        setText(element('sessions-hint'), error ?? t().endedOthers);
      });
    });
  }

  async load(): Promise<void> {
    setText(element('sessions-hint'), '');
    const answer = await fetch('/sessions').catch(() => undefined);
    if (!answer?.ok) return;
    const { sessions } = (await answer.json()) as { sessions: readonly SessionView[] };
    // The times are of the gateway's clock; the one of this machine may be wrong.
    const now = Date.parse(answer.headers.get('date') ?? '') || Date.now();
    element('sessions').replaceChildren(...sessions.map((session) => row(session, now)));
  }
}

function row({ isThis, agent, seenAt, endsAt }: SessionView, now: number): HTMLElement {
  const ago = formatAgo(Math.max(0, (now - seenAt) / 1000));
  const item = textElement(
    'li',
    isThis ? 'strong' : '',
    isThis ? t().sessionThis : t().sessionSeen(browserName(agent), ago),
  );
  item.append(textElement('p', 'hint', t().sessionEnds(formatTime(new Date(endsAt).toISOString()))));
  return item;
}
