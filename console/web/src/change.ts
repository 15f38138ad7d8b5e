import type { ChangeMeaning, FormField, InstanceView } from '../../src/view-types.ts';
import { ask } from './dialogs.ts';
import { type FieldRow, fieldRow, labelOf } from './fields.ts';
import { t } from './language.ts';
import { make } from './make.ts';
import { instancePath, post, RefusedError } from './requests.ts';

/** Settings of an instance that is there, with what their change means before it is made. */
export async function askChange(view: InstanceView, report: (error: unknown) => void): Promise<void> {
  let fields: readonly FormField[];
  try {
    ({ fields } = await post<{ fields: FormField[] }>(instancePath(view.name, '/form')));
  } catch (error) {
    return report(error);
  }
  const rows = fields.map((field) => fieldRow(field));
  const meaning = make('div', { class: 'steps', role: 'status' });
  const changed = () =>
    Object.fromEntries(
      rows
        .filter(({ field, value }) => value() !== field.preset)
        .map(({ field, value }) => [field.key, value()]),
    );
  /** What was told last; the same is not asked for twice. */
  let told = '';
  const explain = async (): Promise<boolean> => {
    const settings = changed();
    const key = JSON.stringify(settings);
    if (key === told) return true;
    const { meanings } = await post<{ meanings: ChangeMeaning[] }>(instancePath(view.name, '/meaning'), {
      settings,
    });
    told = key;
    const lines = meanings.map(({ key, change }) => {
      const field = fields.find((one) => one.key === key);
      return `${field ? labelOf(field) : key}: ${t().changes[change] ?? change}`;
    });
    if (meanings.some(({ needsRestart }) => needsRestart)) lines.push(t().restartAfter);
    meaning.replaceChildren(
      make('h3', {}, t().whatItMeans),
      ...(lines.length > 0 ? lines : [t().nothingChanged]).map((text) => make('p', {}, text)),
    );
    return false;
  };
  const judged = (run: () => Promise<boolean>) => run().then(...clearing(rows));
  for (const { input } of rows)
    input.addEventListener('change', () => void judged(explain).catch(() => undefined));
  ask({
    title: `${t().change}: ${view.name}`,
    content: [make('div', { class: 'form-grid' }, ...rows.map(({ row }) => row)), meaning],
    action: t().saveChanges,
    run: async () => {
      const settings = changed();
      if (Object.keys(settings).length === 0)
        throw new RefusedError({ code: 'answers-wrong', message: t().nothingChanged });
      // Who has not been told what it means is told first; the second press does it.
      if (!(await judged(explain))) throw new RefusedError({ code: 'answers-wrong', message: '' });
      await post(instancePath(view.name, '/change'), { settings });
    },
  });
}

function clearing(rows: readonly FieldRow[]) {
  const show = (wrong: Readonly<Record<string, string>>) => {
    for (const row of rows) row.setWrong(wrong[row.field.key]);
  };
  return [
    (result: boolean) => {
      show({});
      return result;
    },
    (error: unknown): never => {
      if (error instanceof RefusedError) show(error.refused.wrong ?? {});
      throw error;
    },
  ] as const;
}
