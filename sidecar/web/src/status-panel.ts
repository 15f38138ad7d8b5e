import type { GatewayView } from '../../src/gateway/view.ts';
import { type Posted, post } from './actions.ts';
import { element, setText, textElement } from './dom.ts';
import { FileProblemsView } from './file-problems.ts';
import { formatDuration } from './format.ts';
import { t } from './language.ts';
import { Panel } from './panel.ts';
import { renderProblems } from './progress-screen.ts';
import {
  attentionOf,
  refreshState,
  refreshText,
  roomTexts,
  saveText,
  tokenTexts,
  transferText,
  warningTexts,
} from './texts.ts';

const MEASURE_EVERY_MS = 5000;

/** What is behind the bar's one line: saving, raw data, room, tokens, files, who is looking, the connection. */
export class StatusPanel {
  readonly #panel: Panel;
  readonly #files = new FileProblemsView('status-files');
  readonly #refresh = element<HTMLButtonElement>('refresh');
  #refreshed: Posted | null = null;
  #roundTripMs: number | undefined;

  constructor(focusDesktop: () => void) {
    this.#panel = new Panel('status', focusDesktop, () => void this.#measure());
    this.#refresh.addEventListener('click', () => {
      this.#refreshed = null;
      void post('/refresh-source').then((posted) => {
        this.#refreshed = posted;
      });
    });
    setInterval(() => void this.#measure(), MEASURE_EVERY_MS);
  }

  render(view: GatewayView, now: number): void {
    const { status } = view;
    const attention = attentionOf(view);
    const badge = element('status-badge');
    badge.hidden = attention === 0;
    setText(badge, String(attention));
    if (!this.#panel.isShown || !status) return;
    renderProblems('status-problems', 'h3', view, now);
    this.#files.render(view);
    const next = status.save.nextSaveAt;
    const seconds = next ? (Date.parse(next) - now) / 1000 : 0;
    const later = seconds > 0 ? ` ${t().nextSave(formatDuration(seconds))}` : '';
    setText(element('status-save'), `${saveText(view, now).text}.${later}`);
    const source = transferText(status.source);
    setText(element('status-source'), [source.state, ...source.figures].join(' · '));
    setLines('status-room', roomTexts(status));
    setLines('status-tokens', tokenTexts(status, now));
    setLines('status-advice', warningTexts(view));
    element('status-tokens-title').hidden = tokenTexts(status, now).length === 0;
    element('status-advice-title').hidden = warningTexts(view).length === 0;
    setText(element('status-viewers'), t().viewers(view.viewers));
    this.#refresh.disabled = view.sync !== 'up' || ['listing', 'copying'].includes(status.source.state);
    this.#refreshed = refreshState(this.#refreshed, status);
    setText(element('refresh-hint'), refreshText(this.#refreshed));
    const trip = this.#roundTripMs;
    setText(element('status-connection'), trip === undefined ? '…' : t().roundTrip(trip.toFixed(0)));
  }

  async #measure(): Promise<void> {
    if (!this.#panel.isShown) return;
    this.#roundTripMs = await roundTripMs().catch(() => undefined);
  }
}

/** Of one small request to the gateway. */
export async function roundTripMs(): Promise<number> {
  const began = performance.now();
  await fetch('/session', { cache: 'no-store' });
  return performance.now() - began;
}

function setLines(id: string, lines: readonly string[]): void {
  const target = element(id);
  if (target.dataset.lines === lines.join('\n')) return;
  target.dataset.lines = lines.join('\n');
  target.replaceChildren(...lines.map((line) => textElement('p', '', line)));
}
