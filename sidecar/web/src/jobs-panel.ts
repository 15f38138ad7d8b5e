import type { JobsSummary } from '../../contract/job-view.ts';
import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText } from '../shared/dom.ts';
import { ask } from './actions.ts';
import { JobRow } from './job-row.ts';
import { t } from './language.ts';
import { Panel } from './panel.ts';

const LOAD_EVERY_MS = 3000;

/** The jobs of the instance, where it has them: what waits and why, what runs, how what has ended ended. */
export class JobsPanel {
  readonly #panel: Panel;
  readonly #toggle = element('jobs-toggle');
  readonly #list = element('jobs-list');
  readonly #rows = new Map<string, JobRow>();
  #found: JobsSummary | undefined;
  #error = '';
  #loadedAt = Number.NEGATIVE_INFINITY;

  constructor(focusDesktop: () => void) {
    this.#panel = new Panel('jobs', focusDesktop, () => this.#reload());
  }

  render({ jobs }: GatewayView, now: number): void {
    this.#toggle.hidden = jobs === null;
    if (jobs === null) return;
    const active = jobs.running + jobs.waiting;
    const badge = element('jobs-badge');
    badge.hidden = active === 0;
    setText(badge, String(active));
    const state = jobs.isKnown ? t().jobsState(jobs.running, jobs.waiting) : t().jobsUnknown;
    this.#toggle.title = state;
    if (!this.#panel.isShown) return;
    setText(element('jobs-state'), state);
    // A page that nobody sees asks for nothing.
    if (document.visibilityState === 'visible' && performance.now() - this.#loadedAt > LOAD_EVERY_MS)
      void this.#load();
    this.#renderRows(now);
  }

  #reload(): void {
    this.#loadedAt = Number.NEGATIVE_INFINITY;
  }

  async #load(): Promise<void> {
    this.#loadedAt = performance.now();
    const { content, error } = await ask<JobsSummary>('/jobs');
    this.#error = error ?? '';
    if (content !== undefined) this.#found = content;
  }

  #renderRows(now: number): void {
    const { jobs = [], isClosed = false, running = 0, waiting = 0, ended = 0 } = this.#found ?? {};
    const rows = jobs.map((job) => {
      const row = this.#rows.get(job.id) ?? new JobRow(job, () => this.#reload());
      this.#rows.set(job.id, row);
      row.render(job, now);
      return row.element;
    });
    const known = new Set(jobs.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!known.has(id)) this.#rows.delete(id);
    // Moving an element takes the focus from it, so those in their places are left alone.
    for (const [index, row] of rows.entries())
      if (this.#list.children[index] !== row)
        this.#list.insertBefore(row, this.#list.children[index] ?? null);
    while (this.#list.children.length > rows.length) this.#list.lastElementChild?.remove();
    this.#list.hidden = rows.length === 0;
    const more = running + waiting + ended - jobs.length;
    const hints = [
      this.#error,
      isClosed ? t().jobsClosed : '',
      this.#found !== undefined && jobs.length === 0 ? t().jobsNone : '',
      more > 0 ? t().jobsMore(more) : '',
    ];
    setText(element('jobs-hint'), hints.filter((text) => text !== '').join(' ') || t().jobsHint);
  }
}
