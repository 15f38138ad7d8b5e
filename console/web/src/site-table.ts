import type { SiteRow, SiteView } from '../../src/view-types.ts';
import { KINDS } from './facts.ts';
import { formatAge, formatBytes, formatDuration, formatNumber, formatTime, t } from './language.ts';
import { button, type Child, make } from './make.ts';

/** All instances as a table that can be sorted, searched and chosen from. */

/** Rows that are drawn; the rest is found by its name. */
const MAX_ROWS = 200;

type Sorting =
  | 'name'
  | 'owner'
  | 'state'
  | 'version'
  | 'createdAt'
  | 'idleSeconds'
  | 'usedBytes'
  | 'cpuHours';
type Act = (path: string, body: object) => Promise<void>;

export class SiteTable {
  readonly element: HTMLElement;
  readonly #act: Act;
  readonly #onChoice: (view: SiteView) => void;
  readonly #search = make('input', { type: 'search', 'aria-label': t().find, placeholder: t().find });
  readonly #waiting = make('input', { type: 'checkbox' });
  readonly #count = make('p', { class: 'hint', role: 'status' });
  readonly #body = make('tbody');
  readonly #chosen = new Set<string>();
  readonly #heads = new Map<Sorting, HTMLElement>();
  #sorting: Sorting = 'name';
  #isDown = false;
  #view: SiteView | undefined;

  constructor(act: Act, onChoice: (view: SiteView) => void) {
    this.#act = act;
    this.#onChoice = onChoice;
    const columns: [Sorting, string][] = [
      ['name', t().columnName],
      ['owner', t().columnOwner],
      ['state', t().columnState],
      ['version', t().columnVersion],
      ['createdAt', t().columnAge],
      ['idleSeconds', t().columnIdle],
      ['usedBytes', t().columnUsed],
      ['cpuHours', t().cpuHours],
    ];
    const head = make('tr', {}, make('td', {}), ...columns.map(([key, text]) => this.#head(key, text)));
    head.append(make('th', { scope: 'col' }, t().drift));
    for (const input of [this.#search, this.#waiting]) input.addEventListener('input', () => this.#draw());
    const all = button(t().chooseShown, 'quiet', () => {
      for (const { name } of this.#found()) this.#chosen.add(name);
      this.#changed();
    });
    const none = button(t().chooseNone, 'quiet', () => {
      this.#chosen.clear();
      this.#changed();
    });
    this.element = make(
      'section',
      { class: 'card' },
      make('h2', {}, t().allInstances),
      make(
        'div',
        { class: 'row' },
        this.#search,
        make('label', { class: 'check-row' }, this.#waiting, make('span', {}, t().onlyWaiting)),
        all,
        none,
      ),
      this.#count,
      make(
        'div',
        { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t().allInstances },
        make('table', {}, make('thead', {}, head), this.#body),
      ),
    );
  }

  chosen(): readonly string[] {
    const there = new Set(this.#view?.rows.map(({ name }) => name));
    return [...this.#chosen].filter((name) => there.has(name));
  }

  show(view: SiteView): void {
    this.#view = view;
    this.#draw();
  }

  #changed(): void {
    this.#draw();
    if (this.#view) this.#onChoice(this.#view);
  }

  #head(key: Sorting, text: string): HTMLElement {
    const head = make('th', { scope: 'col' });
    head.append(
      button(text, 'sort', () => {
        this.#isDown = this.#sorting === key && !this.#isDown;
        this.#sorting = key;
        this.#draw();
      }),
    );
    this.#heads.set(key, head);
    return head;
  }

  #found(): readonly SiteRow[] {
    const wanted = this.#search.value.trim().toLowerCase();
    const key = this.#sorting;
    const turn = this.#isDown ? -1 : 1;
    return (this.#view?.rows ?? [])
      .filter(({ name, owner = '' }) => `${name} ${owner}`.toLowerCase().includes(wanted))
      .filter(({ isNoRoom }) => !this.#waiting.checked || isNoRoom === true)
      .toSorted((left, right) => turn * compare(left[key], right[key]) || compare(left.name, right.name));
  }

  #draw(): void {
    if (this.#view === undefined) return;
    for (const [key, head] of this.#heads) {
      if (key === this.#sorting) head.setAttribute('aria-sort', this.#isDown ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
    const { rows } = this.#view;
    const found = this.#found();
    const waiting = rows.filter(({ isNoRoom }) => isNoRoom === true).length;
    this.#count.textContent =
      rows.length === 0
        ? t().noneAtAll
        : [
            t().found(found.length),
            waiting > 0 && t().waitForRoom(waiting),
            found.length > MAX_ROWS && t().shown(MAX_ROWS),
          ]
            .filter((text) => text !== false)
            .join(', ');
    const active = this.#body.contains(document.activeElement) ? document.activeElement : undefined;
    const focused = (active as HTMLElement | undefined)?.dataset.key;
    this.#body.replaceChildren(...found.slice(0, MAX_ROWS).map((row) => this.#row(row)));
    // Who is on a row that is no more goes on from the search.
    if (focused !== undefined)
      (this.#body.querySelector<HTMLElement>(`[data-key="${focused}"]`) ?? this.#search).focus();
  }

  #row(row: SiteRow): HTMLElement {
    const { name, owner = '', version = '', createdAt, idleSeconds, usedBytes, storageBytes } = row;
    const chosen = make('input', { type: 'checkbox', 'aria-label': t().choose(name) });
    chosen.checked = this.#chosen.has(name);
    chosen.dataset.key = `choose ${name}`;
    chosen.addEventListener('change', () => {
      if (chosen.checked) this.#chosen.add(name);
      else this.#chosen.delete(name);
      if (this.#view) this.#onChoice(this.#view);
    });
    const link = make('a', { href: `/instances/${name}` }, name);
    link.dataset.key = `open ${name}`;
    const cell = (...children: readonly Child[]) => make('td', {}, ...children);
    const used = usedBytes === undefined ? '' : formatBytes(usedBytes);
    const room = storageBytes === undefined ? used : t().of(used || '–', formatBytes(storageBytes));
    return make(
      'tr',
      {},
      cell(chosen),
      cell(link),
      cell(owner),
      cell(...stateCell(row)),
      cell(version),
      cell(createdAt === undefined ? '' : formatAge(createdAt)),
      cell(idleSeconds === undefined || idleSeconds === 0 ? '' : formatDuration(idleSeconds)),
      cell(room),
      cell(row.cpuHours === undefined ? '' : formatNumber(row.cpuHours)),
      this.#drift(row),
    );
  }

  #drift({ name, drift, state }: SiteRow): HTMLElement {
    const running = this.#view?.comparing;
    if (running === name) return make('td', {}, t().comparing);
    const compareNow = button(t().compare, 'quiet', () => this.#act('/api/site/drift', { name }));
    compareNow.setAttribute('aria-label', `${t().compare}: ${name}`);
    compareNow.dataset.key = `compare ${name}`;
    compareNow.disabled = running !== undefined || state === 'working' || state === 'not-made';
    if (drift === undefined) return make('td', {}, compareNow);
    const when = make('span', { class: 'hint' }, formatTime(drift.at));
    const what = t().driftStates[drift.state];
    const text =
      drift.text === ''
        ? make('span', {}, what)
        : make(
            'details',
            {},
            make('summary', {}, what),
            make('pre', { lang: 'en', tabindex: '0' }, drift.text),
          );
    return make('td', {}, text, when, compareNow);
  }
}

function stateCell({ state, operation, waits, problems, rule, expiresAt }: SiteRow): Child[] {
  const text = state === 'working' && operation ? t().working[operation] : t().states[state];
  const note = (words: string) => make('span', { class: 'attention' }, words);
  return [
    make('span', { class: 'dot', 'data-kind': KINDS[state] }, text),
    waits !== undefined && make('span', { class: 'said', lang: 'en' }, waits),
    problems > 0 && note(t().problemCount(problems)),
    rule?.at !== undefined && note(t().pausesAt(formatTime(rule.at))),
    rule === undefined &&
      expiresAt !== undefined &&
      make('span', { class: 'hint' }, `${t().ends}: ${formatTime(expiresAt)}`),
  ];
}

/** What is not known stands last. */
function compare(left: string | number | undefined, right: string | number | undefined): number {
  if (left === undefined || right === undefined)
    return Number(left === undefined) - Number(right === undefined);
  return typeof left === 'number' && typeof right === 'number'
    ? left - right
    : String(left).localeCompare(String(right));
}
