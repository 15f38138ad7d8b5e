import type { SiteView } from '../../src/view-types.ts';
import { auditSection } from './audit.ts';
import { CpuHours } from './cpu-hours.ts';
import { ago, t } from './language.ts';
import { button, make } from './make.ts';
import { detailOf, get, post, sentenceOf } from './requests.ts';
import { SiteTable } from './site-table.ts';
import { UpgradePanel } from './upgrade-panel.ts';

/** The whole site, for operators: all instances, another release for them, what was done, and what is announced. */

const EVERY_MS = 5_000;

export async function showSite(main: HTMLElement, announcement: string): Promise<void> {
  document.title = `${t().site} · Scipion`;
  main.classList.add('wide');
  const problem = make('p', { class: 'error-text', role: 'alert' });
  const report = (error: unknown) => {
    problem.textContent = [sentenceOf(error), detailOf(error)].filter(Boolean).join(' ');
  };
  const old = make('p', { class: 'notice', 'data-kind': 'warning', role: 'status' });
  old.hidden = true;
  const load = async () => {
    const view = await get<SiteView>('/api/site');
    old.hidden = !view.isOld;
    if (view.isOld) old.textContent = t().listOld(view.seenAt === null ? '?' : ago(view.seenAt));
    table.show(view);
    upgrades.show(view, table.chosen());
    cpuHours.show(view);
    return view;
  };
  const act = async (path: string, body: object) => {
    problem.textContent = '';
    try {
      await post(path, body);
      await load();
    } catch (error) {
      report(error);
    }
  };
  const upgrades = new UpgradePanel(act);
  const cpuHours = new CpuHours();
  const table = new SiteTable(act, (view) => upgrades.show(view, table.chosen()));
  main.replaceChildren(
    make('h1', {}, t().site),
    old,
    problem,
    table.element,
    upgrades.element,
    cpuHours.element,
    auditSection(report),
  );
  const first = await load();
  if (first.canAnnounce) main.append(announceSection(announcement, act));
  const again = () => {
    // What cannot be read is told by the age of what is shown.
    void load()
      .catch(() => undefined)
      .finally(() => {
        timer = setTimeout(again, EVERY_MS);
      });
  };
  let timer = setTimeout(again, EVERY_MS);
  addEventListener('pagehide', () => clearTimeout(timer));
}

function announceSection(text: string, act: (path: string, body: object) => Promise<void>): HTMLElement {
  const area = make('textarea', { id: 'announce', rows: '3', maxlength: '2000' }, text);
  return make(
    'section',
    { class: 'card' },
    make('h2', {}, t().announce),
    make('div', { class: 'one' }, make('label', { for: 'announce' }, t().announceWhat), area),
    make(
      'div',
      { class: 'row' },
      button(t().announce, '', async () => {
        await act('/api/site/announcement', { text: area.value });
        location.reload();
      }),
    ),
  );
}
