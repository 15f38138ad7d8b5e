import type { AuditView, DeedView } from '../../src/view-types.ts';
import { formatTime, t } from './language.ts';
import { button, make } from './make.ts';
import { get } from './requests.ts';

/** Who did what, the newest first, as the audit log has it. */
export function auditSection(report: (error: unknown) => void): HTMLElement {
  const search = make('input', { type: 'search', 'aria-label': t().auditFind, placeholder: t().auditFind });
  const body = make('tbody');
  const none = make('p', { class: 'hint', role: 'status' });
  const columns = [
    t().columnTime,
    t().columnUser,
    t().columnAction,
    t().columnName,
    t().columnOutcome,
    t().columnDetail,
  ];
  const table = make(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t().audit },
    make(
      'table',
      {},
      make('thead', {}, make('tr', {}, ...columns.map((text) => make('th', { scope: 'col' }, text)))),
      body,
    ),
  );
  table.hidden = true;
  const load = async () => {
    try {
      const { deeds } = await get<AuditView>(`/api/site/audit?find=${encodeURIComponent(search.value)}`);
      body.replaceChildren(...deeds.map(lineOf));
      table.hidden = deeds.length === 0;
      none.textContent = deeds.length === 0 ? t().auditNone : '';
    } catch (error) {
      report(error);
    }
  };
  search.addEventListener('change', () => void load());
  return make(
    'section',
    { class: 'card' },
    make('h2', {}, t().audit),
    make('div', { class: 'row' }, search, button(t().auditShow, '', load)),
    none,
    table,
  );
}

function lineOf({
  at,
  user,
  action,
  instance = '',
  outcome,
  detail = '',
  client = '',
}: DeedView): HTMLElement {
  // As the file has it: operators look for the same words there.
  const plain = [user, action, instance, outcome, [detail, client].filter(Boolean).join(' · ')];
  return make('tr', {}, make('td', {}, formatTime(at)), ...plain.map((text) => make('td', {}, text)));
}
