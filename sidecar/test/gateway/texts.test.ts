import { describe, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { clientKey, isFromOurPage } from '../../src/front/request-checks.ts';
import { fillTemplate } from '../../src/front/templates.ts';
import { chooseScreen, type GatewayView, type Observed } from '../../src/gateway/view.ts';
import { formatAgo, formatBytes, formatDuration } from '../../web/src/format.ts';
import { LANGUAGES } from '../../web/src/language.ts';
import {
  bannerTexts,
  headlineOf,
  problemText,
  saveText,
  titleOf,
  transferText,
  warningTexts,
} from '../../web/src/texts.ts';
import { DONE_TRANSFER, IDLE_STATUS, READY_STATUS } from './helpers/fake-sync.ts';

const NOW = Date.parse('2026-05-04T12:00:00Z');
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

function viewWith(change: Partial<GatewayView>, status: Partial<SyncStatus> = {}): GatewayView {
  return {
    instance: 'demo',
    screen: 'progress',
    sync: 'up',
    status: { ...IDLE_STATUS, ...status },
    desktopAnswers: false,
    viewers: 0,
    watchers: 0,
    jobs: null,
    stopping: false,
    time: new Date(NOW).toISOString(),
    ...change,
  };
}

describe('which screen', () => {
  const up: Observed = { sync: 'up', status: READY_STATUS, desktopAnswers: true, readyFile: true };
  test.each<[string, Partial<Observed>, string]>([
    ['ready and answering', {}, 'desktop'],
    ['ready, desktop still starting', { desktopAnswers: false }, 'progress'],
    ['data still on its way', { status: IDLE_STATUS }, 'progress'],
    [
      'the status counts, not the file, while it is known',
      { status: IDLE_STATUS, readyFile: true },
      'progress',
    ],
    ['data service away, file there', { sync: 'down' }, 'desktop'],
    ['data service away, no file', { sync: 'down', readyFile: false }, 'progress'],
    ['nothing known yet', { sync: 'starting', status: null, readyFile: false }, 'progress'],
    ['a save on the way', { status: { ...READY_STATUS, phase: 'saving' } }, 'desktop'],
    ['drain', { status: { ...READY_STATUS, phase: 'draining' } }, 'saving'],
    ['final save', { status: { ...READY_STATUS, phase: 'final-saving' } }, 'saving'],
    ['drained', { status: { ...READY_STATUS, phase: 'drained' } }, 'saved'],
    ['stopped, service gone', { sync: 'down', status: { ...READY_STATUS, phase: 'stopped' } }, 'saved'],
  ])('%s', (_name, change, screen) => {
    expect(chooseScreen({ ...up, ...change })).toBe(screen);
  });
});

describe('numbers', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_499, '999 kB'],
    [999_600, '1.0 MB'],
    [48_000_000, '48.0 MB'],
    [213_400_000_000, '213 GB'],
    [5.5e18, '5500 PB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test.each([
    [0, '1 second'],
    [59.4, '59 seconds'],
    [60, '1 minute'],
    [1913, '32 minutes'],
    [3600, '1 hour'],
    [9000, '2 hours 30 min'],
    [200_000, '2 days'],
  ])('%d seconds are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  test('a moment ago is just now', () => {
    expect([formatAgo(-3), formatAgo(4), formatAgo(125)]).toEqual(['just now', 'just now', '2 minutes ago']);
  });
});

describe('progress', () => {
  test('a bar without an end while the files are listed', () => {
    const listing = { ...DONE_TRANSFER, state: 'listing', filesTotal: null, bytesTotal: null } as const;
    expect(transferText(listing)).toMatchObject({ share: null, figures: ['12 files', '48.0 MB'] });
  });

  test('share, rate and time left while they are copied', () => {
    const copying = {
      state: 'copying',
      filesDone: 1,
      filesTotal: 4,
      bytesDone: 24_000_000,
      bytesTotal: 48_000_000,
      bytesPerSecond: 2_000_000,
      secondsLeft: 12,
    } as const;
    expect(transferText(copying)).toEqual({
      state: '50 %',
      figures: ['1 of 4 files', '24.0 MB of 48.0 MB', '2.0 MB/s', 'about 12 seconds left'],
      share: 0.5,
      kind: 'active',
    });
    const view = viewWith({}, { source: copying, project: copying });
    expect(titleOf(view)).toBe('50 % · demo · Scipion');
  });

  test('empty files and empty spaces count by number', () => {
    const empty = { ...DONE_TRANSFER, state: 'copying', bytesDone: 0, bytesTotal: 0, filesDone: 3 } as const;
    expect(transferText(empty).share).toBe(0.25);
    const none = { ...DONE_TRANSFER, filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 };
    expect(transferText(none)).toMatchObject({ share: 1, state: 'Nothing to copy' });
    expect(titleOf(viewWith({}, { source: none, project: none }))).toBe('demo · Scipion');
  });

  test('a problem says since when and what happens next', () => {
    const problem = {
      code: 'token-expired',
      space: 'source',
      message: 'The token expired.',
      since: ago(180),
    } as const;
    expect(problemText({ ...problem, retryAt: ago(-30) }, NOW)).toEqual({
      where: 'Raw data',
      message: 'The token expired.',
      retry: 'Began 3 minutes ago. Next attempt in 30 seconds.',
    });
    expect(problemText(problem, NOW).retry).toContain('Continues automatically');
  });

  test('never says "saved" while something is unsaved', () => {
    const saved = headlineOf(viewWith({ screen: 'saved' }, { phase: 'drained' }));
    expect(saved.title).toBe('Everything is saved');
    for (const doubt of [{ unsavedChanges: true }, { lastError: 'The space is full.' }]) {
      const save = { ...READY_STATUS.save, ...doubt };
      expect(headlineOf(viewWith({ screen: 'saved' }, { save })).title).toContain('not everything');
    }
    const lost = viewWith({ screen: 'saving', sync: 'down' }, { phase: 'draining' });
    expect(headlineOf(lost).lead).toContain('Nothing is removed');
  });
});

describe('the bar', () => {
  const running = (save: Partial<SyncStatus['save']>, change: Partial<SyncStatus> = {}) =>
    viewWith({ screen: 'desktop' }, { ...READY_STATUS, ...change, save: { ...READY_STATUS.save, ...save } });

  test.each<[string, GatewayView, string, string]>([
    ['nothing yet', running({}), 'Nothing to save yet', 'info'],
    [
      'all saved',
      running({ lastSavedAt: ago(120), unsavedChanges: false }),
      'All saved · 2 minutes ago',
      'good',
    ],
    [
      'not known since, as nothing is watched',
      running({ lastSavedAt: ago(120) }),
      'Saved 2 minutes ago · not known whether anything changed since',
      'info',
    ],
    [
      'work in progress',
      running({ lastSavedAt: ago(120), unsavedChanges: true }),
      'Unsaved changes · saved 2 minutes ago',
      'info',
    ],
    ['never saved', running({ unsavedChanges: true }), 'Not saved yet', 'info'],
    [
      'failed',
      running({ lastSavedAt: ago(120), unsavedChanges: true, lastError: 'full' }),
      'The last save failed; last saved 2 minutes ago',
      'warning',
    ],
    ['saving', running({}, { phase: 'saving' }), 'Saving… 12 of 12 files', 'busy'],
    [
      'unknown',
      { ...running({ unsavedChanges: false, lastSavedAt: ago(1) }), sync: 'down' },
      'Whether your work is saved is not known at the moment',
      'warning',
    ],
  ])('%s', (_name, view, text, kind) => {
    expect(saveText(view, NOW)).toMatchObject({ text, kind });
  });

  test('the banner tells each problem once', () => {
    const problem = { code: 'space-full', space: 'project', message: 'It is full.', since: ago(9) } as const;
    expect(bannerTexts(running({ lastError: 'It is full.' }, { problems: [problem] }))).toEqual([
      'Your projects: It is full.',
    ]);
    expect(bannerTexts(running({ lastError: 'No answer.' }))).toEqual([
      'Saving failed and is tried again: No answer.',
    ]);
    expect(bannerTexts(running({}))).toEqual([]);
  });

  test('the banner says when the instance is paused', () => {
    const message = 'The time of this instance ends: it is saved and paused at 2027-01-31 12:00 UTC.';
    const warnings = [{ code: 'pauses-soon', at: '2027-01-31T12:00:00Z', message } as const];
    const view = viewWith({ screen: 'desktop' }, { ...READY_STATUS, warnings });
    expect(bannerTexts(view)).toEqual([message]);
    expect(LANGUAGES.cs.warning(message, 'pauses-soon', '31. 1. 2027 13:00')).toContain('31. 1. 2027 13:00');
  });

  test('says what is better changed after what is wrong', () => {
    const status = {
      ...READY_STATUS,
      save: { ...READY_STATUS.save, lastError: 'No answer.' },
      warnings: [
        { code: 'token-expires-soon', space: 'project', message: 'The token ends tomorrow.' } as const,
      ],
    };
    const view = viewWith({ screen: 'desktop' }, status);
    expect(warningTexts(view)).toEqual(['Your projects: The token ends tomorrow.']);
    expect(bannerTexts(view)).toEqual([
      'Saving failed and is tried again: No answer.',
      'Your projects: The token ends tomorrow.',
    ]);
    expect(warningTexts(viewWith({ status: null }))).toEqual([]);
  });
});

describe('requests', () => {
  test.each([
    [{}, '10.1.2.3', '10.1.2.3'],
    [{}, '::ffff:10.1.2.3', '10.1.2.3'],
    [{ 'x-forwarded-for': '1.1.1.1, 2.2.2.2' }, '10.1.2.3', '2.2.2.2'],
    [{ 'x-forwarded-for': '2001:db8:1:2:3:4:5:6' }, '10.1.2.3', '2001:db8:1:2::/64'],
    [{ 'x-forwarded-for': '2001:db8::6' }, '10.1.2.3', '2001:db8:0:0::/64'],
    [{ 'x-forwarded-for': '' }, '10.1.2.3', '10.1.2.3'],
  ])('%j from %s counts as %s', (headers, address, key) => {
    expect(clientKey(headers, address)).toBe(key);
  });

  test('a form counts as ours by what only the browser writes', () => {
    const ours = 'https://scipion.demo.example.org';
    expect(isFromOurPage({ origin: ours }, ours)).toBe(true);
    expect(isFromOurPage({ origin: 'null', 'sec-fetch-site': 'same-origin' }, ours)).toBe(true);
    expect(isFromOurPage({ origin: ours, 'sec-fetch-site': 'cross-site' }, ours)).toBe(false);
    expect(isFromOurPage({ origin: `${ours}:8443`, 'sec-fetch-site': 'same-origin' }, ours)).toBe(false);
    expect(isFromOurPage({ origin: 'null' }, ours)).toBe(false);
  });

  test('what a page shows cannot become part of it', () => {
    expect(fillTemplate('<a title="{{x}}">{{x}}</a>', { x: `<b>&'"` })).toBe(
      '<a title="&lt;b&gt;&amp;&#39;&quot;">&lt;b&gt;&amp;&#39;&quot;</a>',
    );
    expect(() => fillTemplate('{{y}}', {})).toThrow(/"y"/);
  });
});
