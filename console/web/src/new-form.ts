import type { CheckAnswer, NewForm } from '../../src/view-types.ts';
import { typedLine } from './dialogs.ts';
import { type FieldRow, fieldRow } from './fields.ts';
import { t } from './language.ts';
import { make } from './make.ts';
import { allowanceText, detailOf, get, post, RefusedError, sentenceOf } from './requests.ts';
import { tokenField } from './token-field.ts';

/** The form of a new instance. Each answer is checked as it is given; nothing is kept before all of them are sent. */
export async function showForm(main: HTMLElement, preset: string): Promise<void> {
  document.title = `${t().newInstance} · Scipion`;
  const { fields, allowances } = await get<NewForm>('/api/form');
  const name = typedLine(t().name, {
    required: '',
    maxlength: '63',
    value: /^[a-z0-9-]*$/.test(preset) ? preset : '',
  });
  const nameWrong = make('p', { class: 'error-text', role: 'alert' });
  name.row.append(make('p', { class: 'hint' }, t().nameHint), nameWrong);
  const sizes = fields.map((field) => fieldRow(field));
  const host = make('div', { class: 'one' });
  let hostChoice: HTMLSelectElement | undefined;
  const nameOf = () => name.input.value.trim();
  const source = tokenField({
    side: 'source',
    name: nameOf,
    other: () => ({ token: '', spaceId: '' }),
    onChange: () => {
      showHosts();
      // Not while this field itself is being made.
      queueMicrotask(() => project.lookAgain());
    },
  });
  const project = tokenField({
    side: 'project',
    name: nameOf,
    other: () => ({ token: source.token(), spaceId: source.spaceId() }),
    onChange: () => showHosts(),
  });

  /** Only where there is something to choose. */
  function showHosts(): void {
    const lists = [source, project].map((field) => field?.providers() ?? []);
    const common = (lists[0] ?? []).filter((one) => lists.every((list) => list.includes(one)));
    const isChoice = lists.some((list) => list.length > 1) && common.length > 0;
    if (!isChoice) {
      hostChoice = undefined;
      host.replaceChildren();
      return;
    }
    const before = hostChoice?.value ?? '';
    hostChoice = make(
      'select',
      { id: 'provider' },
      make('option', { value: '' }, t().providerFound),
      ...common.map((one) => make('option', { value: one, selected: one === before }, one)),
    );
    host.replaceChildren(make('label', { for: 'provider' }, t().provider), hostChoice);
  }

  const settings = () => ({
    ...Object.fromEntries(
      sizes
        .filter(({ field, value }) => value() !== field.preset)
        .map(({ field, value }) => [field.key, value()]),
    ),
    ...(source.spaceId() === '' ? {} : { sourceSpaceId: source.spaceId() }),
    ...(project.spaceId() === '' ? {} : { projectSpaceId: project.spaceId() }),
    ...(hostChoice === undefined || hostChoice.value === '' ? {} : { onedataHost: hostChoice.value }),
  });
  const showWrong = (wrong: Readonly<Record<string, string>>) => {
    for (const row of sizes) row.setWrong(wrong[row.field.key]);
  };
  const would = make('p', { class: 'hint', role: 'status' });
  const check = async (): Promise<void> => {
    const found = await post<CheckAnswer>('/api/check', { name: nameOf(), settings: settings() });
    showWrong(found.wrong);
    const amounts = Object.values(found.would);
    would.textContent = amounts.length === 0 ? '' : t().withIt(allowanceText(found.would));
    would.classList.toggle(
      'attention',
      amounts.some(({ taken, allowed }) => taken > allowed),
    );
    const isOwnAgain = nameOf() === preset;
    nameWrong.textContent =
      nameOf() === ''
        ? ''
        : !found.isName
          ? t().refusals['name-wrong']
          : found.isTaken && !isOwnAgain
            ? t().taken
            : '';
  };
  for (const input of [name.input, ...sizes.map(({ input }: FieldRow) => input)])
    input.addEventListener('change', () => void check().catch(() => undefined));

  const problem = make('p', { class: 'error-text', role: 'alert' });
  const submit = make('button', { type: 'submit', class: 'primary' }, t().create);
  const missing = () =>
    [
      nameOf() === '' && t().name,
      source.token() === '' ? t().sourceToken : source.spaceId() === '' && t().sourceSpace,
      project.token() === '' ? t().projectToken : project.spaceId() === '' && t().projectSpace,
    ].filter((text) => typeof text === 'string');
  const form = make(
    'form',
    { class: 'card', novalidate: '' },
    make('h1', {}, t().newInstance),
    name.row,
    source.row,
    project.row,
    host,
    make(
      'fieldset',
      {},
      make('legend', {}, t().sizes),
      ...(Object.keys(allowances).length === 0
        ? []
        : [make('p', { class: 'hint' }, t().yours(allowanceText(allowances))), would]),
      make('div', { class: 'form-grid' }, ...sizes.map(({ row }) => row)),
    ),
    problem,
    make('div', { class: 'row' }, submit, make('a', { class: 'button quiet', href: '/' }, t().cancel)),
    make('p', { class: 'hint' }, t().nothingYet),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const left = missing();
    problem.textContent = left.length === 0 ? '' : `${t().missing}: ${left.join(', ')}.`;
    if (left.length > 0) return;
    submit.disabled = true;
    const tokens = { sourceToken: source.token(), projectToken: project.token() };
    post('/api/instances', { name: nameOf(), settings: settings(), ...tokens }).then(
      () => location.assign(`/instances/${nameOf()}`),
      (error: unknown) => {
        submit.disabled = false;
        if (error instanceof RefusedError) showWrong(error.refused.wrong ?? {});
        problem.textContent = [sentenceOf(error), detailOf(error)].filter(Boolean).join(' ');
      },
    );
  });
  main.replaceChildren(form);
  await check().catch(() => undefined);
}
