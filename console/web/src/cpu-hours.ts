import type { SiteView } from '../../src/view-types.ts';
import { formatNumber, formatTime, t } from './language.ts';
import { make } from './make.ts';

/** CPU hours of each user, for operators. */
export class CpuHours {
  readonly #since = make('p', { class: 'hint' });
  readonly #body = make('tbody');
  readonly element = make(
    'section',
    { class: 'card' },
    make('h2', {}, t().cpuBy),
    this.#since,
    make(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t().cpuBy },
      make(
        'table',
        {},
        make(
          'thead',
          {},
          make(
            'tr',
            {},
            ...[t().columnOwner, t().cpuHours, t().cpuNotSeenColumn].map((text) =>
              make('th', { scope: 'col' }, text),
            ),
          ),
        ),
        this.#body,
      ),
    ),
  );
  #drawn = '';

  show({ cpuTime: { since, users } }: SiteView): void {
    const text = JSON.stringify([since, users]);
    if (text === this.#drawn) return;
    this.#drawn = text;
    this.#since.textContent = t().cpuSince(formatTime(since));
    this.#body.replaceChildren(
      ...users.map(({ user, hours, notSeenHours }) =>
        make(
          'tr',
          {},
          make('td', {}, user === '' ? t().nobody : user),
          make('td', {}, formatNumber(hours)),
          make('td', {}, formatNumber(notSeenHours)),
        ),
      ),
    );
  }
}
