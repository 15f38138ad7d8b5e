import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FORM_LABELS, SIZE_KEYS } from '../../automation/fleet/index.ts';
import { notesOf } from '../../stacks/fields.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import type { Texts } from '../web/src/texts/en.ts';
import { TEXTS } from '../web/src/texts/index.ts';

/** Both languages say everything, and the pages ask for nothing that is not there. */

const { en, cs } = TEXTS;
const WEB = join(import.meta.dirname, '..', 'web');
const read = (name: string) => readFileSync(join(WEB, name), 'utf8');
const scripts = readdirSync(join(WEB, 'src')).filter((name) => name.endsWith('.ts'));

/** Every text, whatever it is in: `states.running`. */
function flat(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  if (typeof value === 'function') {
    const words = Array.from({ length: value.length }, (_, index) => `<${index}>`);
    try {
      return [[path, String(value(...words))]];
    } catch {
      return [[path, String(value(2, 3))]];
    }
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => flat(part, path === '' ? key : `${path}.${key}`));
}

/** English has these from elsewhere: the schema, the zone, `sync`. */
const FROM_ELSEWHERE = /^(fields|tokenFaults|problems|advice)\./;
/** The same in both. */
const SAME = /^(version|columnVersion|usedByOwner|data|hoursAndMinutes|locale|operations\.restart)$/;

describe('Czech', () => {
  test('says all that English says, in other words', () => {
    const [english, czech] = [new Map(flat(en)), new Map(flat(cs))];
    const missing = [...english.keys()].filter((key) => !czech.has(key));
    expect(missing).toEqual([]);
    expect([...czech.keys()].filter((key) => !english.has(key) && !FROM_ELSEWHERE.test(key))).toEqual([]);
    const same = [...english].filter(([key, text]) => czech.get(key) === text && !SAME.test(key));
    expect(same).toEqual([]);
    // What belongs into a sentence is in it, in both.
    for (const [key, text] of english) {
      const marks = (words: string) => (words.match(/<\d>/g) ?? []).toSorted();
      expect([key, marks(czech.get(key) ?? '')]).toEqual([key, marks(text)]);
    }
  });

  test('has each question of the form, with the numbers of the schema', () => {
    expect(Object.keys(cs.fields).toSorted()).toEqual([...SIZE_KEYS].toSorted());
    const numbers = (text: string) => text.match(/\d+(\.\d+)?\w*/g) ?? [];
    for (const key of SIZE_KEYS) {
      if (key === 'version') continue;
      const found = numbers(cs.fields[key]?.allowed ?? '');
      expect([key, found]).toEqual([key, numbers(notesOf(SETTING_FIELDS[key]).allowed)]);
    }
    expect(Object.keys(FORM_LABELS)).toEqual(expect.arrayContaining([...SIZE_KEYS]));
  });
});

test('the pages ask for texts that there are, and every text is asked for', () => {
  const html = ['app.html', 'message.html', 'sign-in.html', 'sign-out.html'].map(read).join();
  const named = [...html.matchAll(/data-t="(\w+)"/g)].map(([, key]) => key as keyof Texts);
  for (const key of named) expect([key, typeof en[key]]).toEqual([key, 'string']);
  const server = ['../src', '../identity'].flatMap((folder) =>
    readdirSync(join(WEB, folder))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(join(folder, name))),
  );
  const all = [html, ...scripts.map((name) => read(join('src', name))), ...server].join('\n');
  const own = Object.keys(en).filter((key) => !(key in NUMBERS));
  expect(
    own.filter((key) => !new RegExp(`(data-t="|\\b(t\\(\\)|texts|TEXTS\\[.*\\])\\??\\.)${key}\\b`).test(all)),
  ).toEqual([]);
});

const NUMBERS = {
  locale: 0,
  seconds: 0,
  minutes: 0,
  hours: 0,
  days: 0,
  hoursAndMinutes: 0,
  justNow: 0,
  language: 0,
};
