import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { fileProblemCodeSchema, problemCodeSchema, type SyncStatus } from '../../contract/status.ts';
import { languageOf } from '../../src/front/request-checks.ts';
import { preferredLanguage } from '../../web/shared/languages.ts';
import type { Posted } from '../../web/src/actions.ts';
import { formatAgo, formatBytes, formatDuration } from '../../web/src/format.ts';
import { LANGUAGES, setLanguage } from '../../web/src/language.ts';
import {
  attentionOf,
  confirmationOf,
  loginNotices,
  refreshState,
  refreshText,
  roomTexts,
  saveText,
  tokenTexts,
} from '../../web/src/texts.ts';
import { READY_STATUS } from './helpers/fake-sync.ts';

const { en, cs } = LANGUAGES;
const NOW = Date.parse('2026-05-04T12:00:00Z');
const VIEW = {
  instance: 'demo',
  screen: 'desktop',
  sync: 'up',
  status: READY_STATUS,
  desktopAnswers: true,
  viewers: 1,
  watchers: 0,
  jobs: null,
  stopping: false,
  time: new Date(NOW).toISOString(),
} as const;
const read = (name: string) => readFileSync(join(import.meta.dirname, '../../web', name), 'utf8');

afterEach(() => setLanguage('en'));

test('Czech says all that English says, in other words', () => {
  expect(Object.keys(cs).sort()).toEqual(Object.keys(en).sort());
  for (const [key, english] of Object.entries(en)) {
    const czech = cs[key as keyof typeof en];
    expect(typeof czech, key).toBe(typeof english);
    if (typeof english === 'string') expect(czech, key).not.toBe(english);
  }
});

test('Czech has a sentence for each problem that the data service may tell', () => {
  for (const code of problemCodeSchema.options)
    expect(cs.problem('English', code), code).not.toContain('English');
  for (const code of fileProblemCodeSchema.options) {
    expect(cs.fileProblem('English', code), code).not.toBe('English');
  }
});

test('Czech has a sentence for each answer about files', () => {
  const names = ['file-routes', 'project-files', 'uploads'];
  const sources = names.map((name) =>
    readFileSync(join(import.meta.dirname, `../../src/gateway/${name}.ts`), 'utf8'),
  );
  const codes = new Set(
    [...sources.join('').matchAll(/'(file-\w+(?:-\w+)?)'/g)].map(([, code]) => code as string),
  );
  expect(codes.size).toBeGreaterThan(10);
  for (const code of codes) expect(cs.answer('English', code), code).not.toContain('English');
});

test('each sentence that the page names exists, and the page says it in English', () => {
  const html = ['app.html', 'watch.html', 'login.html', 'message.html'].map(read).join('');
  const named = [...html.matchAll(/data-t(?:-title|-label)?="(\w+)"/g)].map(([, key]) => key as string);
  expect(named.length).toBeGreaterThan(40);
  for (const key of named) expect(typeof en[key as keyof typeof en], key).toBe('string');
  for (const [, key, text] of html.matchAll(/data-t="(\w+)"[^>]*>([^<]+)</g)) {
    expect(text).toBe(en[key as keyof typeof en]);
  }
});

test.each<[string | null, string[], string]>([
  [null, ['cs-CZ', 'en'], 'cs'],
  [null, ['de', 'cs'], 'cs'],
  [null, ['sk-SK'], 'cs'],
  [null, ['de'], 'en'],
  [null, [], 'en'],
  ['en', ['cs'], 'en'],
  ['cs', ['en'], 'cs'],
  ['xx', ['cs'], 'cs'],
])('stored %s, wished %j: %s', (stored, wished, language) => {
  expect(preferredLanguage(stored, wished)).toBe(language);
});

const CHOICE = '__Host-scipion-language';
test.each<[string | undefined, string | undefined, string]>([
  [undefined, undefined, 'en'],
  [undefined, '', 'en'],
  [undefined, 'cs-CZ,cs;q=0.9,en;q=0.8', 'cs'],
  [undefined, 'en;q=0.5, cs', 'cs'],
  [undefined, 'cs;q=0, en', 'en'],
  [undefined, 'cs;q=0', 'en'],
  [undefined, 'de;q=0.9, SK ; q=0.4, *;q=0.1', 'cs'],
  [undefined, 'cs;q=no, en;q=0.1', 'en'],
  [undefined, '*', 'en'],
  [undefined, ',,;q=1;;=', 'en'],
  [`${CHOICE}=en`, 'cs', 'en'],
  [`a=b; ${CHOICE}=cs; c`, 'en', 'cs'],
  [`${CHOICE}=__proto__`, 'cs', 'cs'],
  [`${CHOICE}=; =;;`, 'cs', 'cs'],
  [`x${CHOICE}=cs`, 'en', 'en'],
])('a request with the cookie %j that accepts %j is answered in %s', (cookie, accepted, language) => {
  const headers = {
    ...(cookie === undefined ? {} : { cookie }),
    ...(accepted === undefined ? {} : { 'accept-language': accepted }),
  };
  expect(languageOf(headers)).toBe(language);
});

test('an answer of the gateway is said by its code, and what has none in its own words', () => {
  for (const code of ['logged-out', 'page-outdated', 'sync-silent', 'many-links']) {
    expect(cs.answer('English', code), code).not.toContain('English');
    expect(en.answer('raw', code), code).not.toBe('raw');
  }
  expect(cs.answer('English', 'space-full')).toBe(cs.problem('', 'space-full'));
  expect(cs.answer('It is restored.', 'sync-refused')).toBe('Datová služba to odmítla: It is restored.');
  expect(en.answer('It is restored.', 'sync-refused')).toBe('It is restored.');
});

test('a refresh that goes on is not said to be done', () => {
  const status = (state: 'copying' | 'done', problems: SyncStatus['problems'] = []) => ({
    ...READY_STATUS,
    source: { ...READY_STATUS.source, state },
    problems,
  });
  const begun = { error: null, isDone: false } as const;
  const text = (posted: Posted | null, now: SyncStatus) => refreshText(refreshState(posted, now));
  expect(text(begun, status('copying'))).toBe(en.refreshing);
  expect(text(begun, status('done'))).toBe(en.refreshed);
  expect(text({ error: null, isDone: true }, status('done'))).toBe(en.refreshed);
  expect(text({ error: 'No.' }, status('done'))).toBe('No.');
  expect(text(null, status('done'))).toBe(en.refreshHint);
  const problem = { code: 'space-full', space: 'source', message: 'Full.', since: VIEW.time } as const;
  expect(text(begun, status('copying', [problem]))).toBe(en.refreshHint);
});

test('Czech numbers, lengths of time and states', () => {
  setLanguage('cs');
  expect([1, 3, 5, 1234].map((count) => cs.files(count))).toEqual([
    '1 soubor',
    '3 soubory',
    '5 souborů',
    `${(1234).toLocaleString('cs-CZ')} souborů`,
  ]);
  expect(formatBytes(48_000_000)).toBe('48,0 MB');
  expect(formatDuration(9000)).toBe('2 hodiny 30 min');
  expect(formatAgo(125)).toBe('před 2 minutami');
  const save = {
    ...READY_STATUS.save,
    unsavedChanges: true,
    lastSavedAt: new Date(NOW - 120_000).toISOString(),
  };
  const view = { ...VIEW, status: { ...READY_STATUS, save } };
  expect(saveText(view, NOW).text).toBe('Neuložené změny · uloženo před 2 minutami');
});

test('a scientist reads no keys of a configuration', () => {
  const message =
    'The token of the project space has expired. Set a new one (scipion:projectToken): it is used.';
  expect(en.problem(message, 'token-expired')).toBe(
    'The token of the project space has expired. Set a new one: it is used.',
  );
});

test('what the status says besides: room, tokens, what needs attention, what waits for a word', () => {
  const status = {
    ...READY_STATUS,
    volumes: { source: { freeBytes: 5e9, totalBytes: 1e10 } },
    tokenExpiresAt: { source: null, project: new Date(NOW + 7200_000).toISOString() },
    warnings: [{ code: 'token-advice', space: 'source', message: 'It may do more.' }] as const,
    problems: [
      {
        code: 'deletions-guarded',
        space: 'project',
        message: 'Many.',
        since: VIEW.time,
        confirm: { what: 'deletions', count: 12 },
      },
    ] as const,
  };
  expect(roomTexts({ ...status, warnings: [], problems: [] })).toEqual(['Raw data: 5.0 GB free of 10.0 GB']);
  const tokens = tokenTexts({ ...status, warnings: [], problems: [] }, NOW);
  expect(tokens[0]).toBe('Raw data: no end');
  expect(tokens[1]).toMatch(/^Your projects: ends on .*, in 2 hours$/);
  const full = { ...status, warnings: [...status.warnings], problems: [...status.problems] };
  expect(attentionOf({ ...VIEW, status: full })).toBe(2);
  expect(confirmationOf(full)).toEqual({ what: 'deletions', count: 12 });
  expect(confirmationOf(READY_STATUS)).toBeNull();
});

test('before the first file is through, the share of the bytes says how far a save is', () => {
  const project = { ...READY_STATUS.project, state: 'copying' as const, filesDone: 0, filesTotal: 60 };
  const status = { ...READY_STATUS, phase: 'saving' as const };
  const text = (bytesDone: number) =>
    saveText({ ...VIEW, status: { ...status, project: { ...project, bytesDone } } }, NOW).text;
  expect([text(0), text(33_600_000)]).toEqual(['Saving…', 'Saving… 70 %']);
});

test('a quarter of an hour before a login ends the page says so, and what keeps it', () => {
  const end = (minutes: number, isFinal: boolean) => ({ endsAt: NOW + minutes * 60_000, isFinal });
  expect(loginNotices(undefined, NOW)).toEqual([]);
  expect(loginNotices({ endsAt: null, isFinal: false }, NOW)).toEqual([]);
  expect(loginNotices(end(16, true), NOW)).toEqual([]);
  expect(loginNotices(end(0, true), NOW)).toEqual([]);
  expect(loginNotices(end(14, true), NOW)[0]).toMatch(/^Your login ends at \d\d:\d\d\. The desktop keeps/);
  expect(loginNotices(end(14, false), NOW)[0]).toMatch(/unless you press a key or click here\.$/);
  setLanguage('cs');
  expect(loginNotices(end(14, true), NOW)[0]).toMatch(/^Vaše přihlášení skončí/);
});
