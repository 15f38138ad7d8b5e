import type { SiteView } from '../../src/view-types.ts';
import { ask, typedLine } from './dialogs.ts';
import { t } from './language.ts';
import { button, make } from './make.ts';
import { post } from './requests.ts';

/** Another release for chosen instances: one first, then waves; the first that fails ends it. */
export class UpgradePanel {
  readonly element: HTMLElement;
  readonly #form = make('div', { class: 'row' });
  readonly #chosen = make('p', { class: 'hint', role: 'status' });
  readonly #run = make('div', { class: 'one' });
  readonly #version = make('select', { id: 'upgrade-version' });
  readonly #act: (path: string, body: object) => Promise<void>;
  #names: readonly string[] = [];
  #drawn = '';

  constructor(act: (path: string, body: object) => Promise<void>) {
    this.#act = act;
    this.#form.append(
      make('label', { for: 'upgrade-version' }, t().version),
      this.#version,
      button(t().upgrade, '', () => this.#askUpgrade()),
    );
    this.element = make(
      'section',
      { class: 'card' },
      make('h2', {}, t().upgradeTitle),
      make('p', {}, t().upgradeWhat),
      this.#form,
      this.#chosen,
      this.#run,
    );
  }

  show({ versions, upgrade, maxWave }: SiteView, names: readonly string[]): void {
    this.#names = names;
    this.#chosen.textContent = t().chosen(names.length);
    if (this.#version.options.length === 0)
      this.#version.append(...versions.map((version) => make('option', { value: version }, version)));
    this.#version.dataset.most = String(maxWave);
    const submit = this.#form.querySelector('button');
    if (submit) submit.disabled = names.length === 0 || upgrade?.isOver === false;
    const text = JSON.stringify(upgrade ?? null);
    if (text === this.#drawn) return;
    this.#drawn = text;
    const hadFocus = this.#run.contains(document.activeElement);
    this.#run.replaceChildren(...(upgrade === undefined ? [] : this.#runOf(upgrade)));
    if (hadFocus) (this.#run.querySelector('button') ?? this.#version).focus();
  }

  #runOf({
    version,
    by,
    isOver,
    isStopping,
    isInterrupted,
    instances,
  }: NonNullable<SiteView['upgrade']>): HTMLElement[] {
    const count = (state: string) => instances.filter((one) => one.state === state).length;
    const sum = t().upgradeSum(count('done'), count('failed'), count('left'));
    const titleOf = isOver ? t().upgradeOver : isInterrupted ? t().upgradeInterrupted : t().upgradeRuns;
    const shown = instances.filter(({ state }) => state !== 'left');
    const lines = shown.map(({ name, state, message }) =>
      make(
        'li',
        { 'data-state': state },
        make('span', {}, make('a', { href: `/instances/${name}` }, name), ' ', t().upgradeStates[state]),
        message !== undefined && make('span', { class: 'said', lang: 'en' }, message),
      ),
    );
    const goOn = button(t().upgradeContinue, '', () => this.#act('/api/site/upgrade/continue', {}));
    const stop = button(isInterrupted ? t().upgradeLeave : t().stop, 'danger', () =>
      this.#act('/api/site/upgrade/stop', {}),
    );
    stop.disabled = isStopping;
    return [
      make('h3', {}, titleOf(version, by)),
      isInterrupted && make('p', {}, t().upgradeInterruptedWhat),
      make('p', { role: 'status' }, isStopping && !isOver ? `${sum} ${t().stopping}` : sum),
      make('ol', { class: 'steps' }, ...lines),
      !isOver && make('div', { class: 'row' }, ...(isInterrupted ? [goOn, stop] : [stop])),
    ].filter((part) => part !== false);
  }

  #askUpgrade(): void {
    const names = this.#names;
    const version = this.#version.value;
    const most = this.#version.dataset.most ?? '10';
    const wave = typedLine(t().wave, { type: 'number', min: '1', max: most, value: '5', required: '' });
    ask({
      title: t().upgradeAsk(names.length, version),
      content: [make('p', {}, t().upgradeWhat), make('p', { class: 'said' }, names.join(', ')), wave.row],
      action: t().upgrade,
      run: () => post('/api/site/upgrade', { version, names, wave: Number(wave.input.value) }),
    });
  }
}
