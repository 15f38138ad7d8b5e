import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText, textElement } from '../shared/dom.ts';
import { type Posted, post } from './actions.ts';
import { FileProblemsView } from './file-problems.ts';
import { formatDuration } from './format.ts';
import { t } from './language.ts';
import { Panel } from './panel.ts';
import { renderProblems } from './progress-screen.ts';
import type { SessionWatch } from './session-watch.ts';
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

/** What is behind the bar's one line: saving, raw data, room, tokens, files, who is looking, the connection. */
export class StatusPanel {
  readonly #panel: Panel;
  readonly #files = new FileProblemsView('status-files');
  readonly #refresh = element<HTMLButtonElement>('refresh');
  readonly #watch: SessionWatch;
  #refreshed: Posted | null = null;

  constructor(focusDesktop: () => void, watch: SessionWatch) {
    this.#watch = watch;
    this.#panel = new Panel('status', focusDesktop, () => void watch.ask());
    this.#refresh.addEventListener('click', () => {
      this.#refreshed = null;
      void post('/refresh-source').then((posted) => {
        this.#refreshed = posted;
      });
    });
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
    const watchers = view.watchers > 0 ? [t().watchers(view.watchers)] : [];
    setText(element('status-viewers'), [t().viewers(view.viewers), ...watchers].join(' '));
    this.#refresh.disabled = view.sync !== 'up' || ['listing', 'copying'].includes(status.source.state);
    this.#refreshed = refreshState(this.#refreshed, status);
    setText(element('refresh-hint'), refreshText(this.#refreshed));
    const trip = this.#watch.roundTripMs;
    setText(element('status-connection'), trip === undefined ? '…' : t().roundTrip(trip.toFixed(0)));
  }
}

function setLines(id: string, lines: readonly string[]): void {
  const target = element(id);
  if (target.dataset.lines === lines.join('\n')) return;
  target.dataset.lines = lines.join('\n');
  target.replaceChildren(...lines.map((line) => textElement('p', '', line)));
}
