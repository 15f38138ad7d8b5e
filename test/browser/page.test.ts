import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { SyncStatus } from '../../sidecar/contract/status.ts';
import { READY_STATUS } from '../../sidecar/test/gateway/helpers/fake-sync.ts';
import { axeFindings, login, screenshot, waitForDesktop } from '../helpers/browser.ts';
import { type Desktop, desktops, missing, ofTheBrowser } from './fixture.ts';
import { startXvnc } from './xvnc.ts';

/** Folder for pictures of every state; unset: none are kept. */
const SHOTS = process.env.SCREENSHOTS;

const COPYING = {
  state: 'copying',
  filesDone: 0,
  filesTotal: 60,
  bytesDone: 33_600_000,
  bytesTotal: 48_000_000,
  bytesPerSecond: 4_000_000,
  secondsLeft: 9,
} as const;
const hoursFromNow = (hours: number) => new Date(Date.now() + hours * 3600_000).toISOString();
const PROBLEM = {
  code: 'token-expired',
  space: 'project',
  message:
    'The token of the project space has expired. Set a new one (scipion:projectToken): it is used without a restart.',
  since: hoursFromNow(-1),
} as const;
const MISSING = {
  code: 'files-missing',
  space: 'project',
  message: 'Two files cannot be restored.',
  since: hoursFromNow(-1),
  confirm: { what: 'missing', count: 2 },
} as const;
const FILES = {
  total: 2,
  items: [
    'Runs/000002_ProtImportMovies/extra/movie_0001.mrc',
    'Runs/000134_ProtOrigSampling/a very long name.sqlite',
  ].map((path) => ({
    path,
    isFolder: false,
    space: 'project' as const,
    during: 'restore' as const,
    code: 'damaged' as const,
    message: 'Its content is not what its checksum says.',
    since: hoursFromNow(-1),
  })),
};
const BUSY = {
  save: {
    ...READY_STATUS.save,
    lastSavedAt: hoursFromNow(-0.1),
    unsavedChanges: true,
    nextSaveAt: hoursFromNow(0.1),
  },
  problems: [PROBLEM],
  fileProblems: FILES,
  volumes: {
    source: { freeBytes: 12e9, totalBytes: 100e9 },
    project: { freeBytes: 5e9, totalBytes: 50e9 },
  },
  tokenExpiresAt: { source: null, project: hoursFromNow(30) },
  warnings: [
    {
      code: 'token-advice',
      space: 'source',
      message: 'The token may write, and only needs to read (scipion:sourceToken).',
    },
  ],
} satisfies Partial<SyncStatus>;

const PAUSES = {
  code: 'pauses-soon',
  at: hoursFromNow(50),
  message:
    'The time of this instance ends: it is saved and paused at 2027-01-31 12:00 UTC. Nothing is removed. Ask your operators if you need it longer.',
} as const;

const focused = (page: Page) => page.evaluate('document.activeElement.id') as Promise<string>;
const saveState = (page: Page) => page.locator('#save-state');

describe.skipIf(missing)('the page', ofTheBrowser, () => {
  const open = desktops();

  /** Goes through every state; `look` is called in each. */
  async function everyState(desktop: Desktop, look: (name: string) => Promise<void>): Promise<void> {
    const { page, sync, gateway } = desktop;
    for (const name of ['demo', 'lysozyme 2026-11']) mkdirSync(join(gateway.projectDirectory, name));
    writeFileSync(
      join(gateway.projectDirectory, 'a long name of a table of particles.sqlite'),
      Buffer.alloc(4321),
    );
    symlinkSync('/mnt/vol-dataset/raw', join(gateway.projectDirectory, 'raw data'));
    const show = async (name: string, status: Partial<SyncStatus>, shown: string) => {
      sync.set({ ...READY_STATUS, problems: [], warnings: [], ...status });
      await page.locator(shown).waitFor();
      await page.waitForTimeout(300);
      await look(name);
    };
    await look('desktop');
    await show('problems', BUSY, '#banner');
    for (const panel of ['status', 'files', 'clipboard', 'share', 'settings']) {
      await page.locator(`#${panel}-toggle`).click();
      await page.locator(`#${panel}`).waitFor();
      if (panel === 'files') {
        // It cannot be placed, as nobody is there who does it.
        const file = { name: 'movie.mrc', mimeType: '', buffer: Buffer.alloc(1000) };
        await page.locator('#files-input').setInputFiles(file);
      }
      await page.waitForTimeout(1200);
      await look(panel);
      // While something is being sent the page asks before it is left.
      if (panel === 'files') await page.getByRole('button', { name: 'movie.mrc' }).click();
      await page.locator(`#${panel}-close`).click();
    }
    await show('pauses', { warnings: [PAUSES] }, '#banner');
    await show('saving-now', { phase: 'saving', project: COPYING }, '#save-state[data-kind="busy"]');
    await page.locator('#bar-hide').click();
    await look('bar-hidden');
    await page.locator('#bar-show').click();
    const ready = { ready: false, phase: 'copying' } as const;
    await show(
      'copying',
      { ...ready, source: COPYING, project: { ...COPYING, state: 'listing' } },
      '#transfers',
    );
    await show('missing', { ...ready, problems: [MISSING], fileProblems: FILES }, '#progress-files button');
    await show(
      'removal',
      { phase: 'draining', ready: false, project: COPYING },
      'body[data-screen="saving"]',
    );
    const save = { ...READY_STATUS.save, unsavedChanges: false, lastSavedAt: hoursFromNow(-0.1) };
    await show('removed', { phase: 'drained', ready: false, save }, 'body[data-screen="saved"]');
    sync.set(READY_STATUS);
    await waitForDesktop(page);
    await desktop.vnc.stop();
    await page.locator('#overlay').waitFor();
    await look('overlay');
  }

  /** The pages without a session: login, after a wrong password, while one has to wait, a message. */
  async function signedOut({ page, gateway }: Desktop, look: (name: string) => Promise<void>): Promise<void> {
    page.on('dialog', (dialog) => void dialog.accept());
    // The page itself goes to the login when its session is over, and would come in between.
    await page.goto('about:blank');
    await page.context().clearCookies();
    await page.goto(`${gateway.origin}/login`);
    await look('login');
    await page.goto(`${gateway.origin}/nowhere`);
    await look('message');
    for (const name of ['login-wrong', '', '', '', 'login-wait']) {
      await login(page, `${gateway.origin}/login`, 'not the password');
      if (name !== '') await look(name);
    }
  }

  test('has no findings of axe in any state, and on the pages without a session', async () => {
    const desktop = await open();
    const { page } = desktop;
    const found: string[] = [];
    await everyState(desktop, async (name) => {
      for (const finding of await axeFindings(page)) found.push(`${name}: ${finding}`);
    });
    await signedOut(desktop, async (name) => {
      for (const finding of await axeFindings(page)) found.push(`${name}: ${finding}`);
    });
    expect(found).toEqual([]);
    expect(desktop.mistakes).toEqual([]);
  });

  test.skipIf(!SHOTS)('is drawn in every state, language and size', { timeout: 600_000 }, async () => {
    const size = (width: number, height: number) => ({ viewport: { width, height } });
    const kinds: [string, BrowserContextOptions][] = [
      ['en-light', { ...size(1440, 900) }],
      ['cs-dark', { ...size(1440, 900), locale: 'cs-CZ', colorScheme: 'dark' }],
      ['cs-zoom', { ...size(720, 450), locale: 'cs-CZ', deviceScaleFactor: 2 }],
      ['en-phone', { ...size(390, 844), hasTouch: true, isMobile: true }],
      [
        'cs-tablet',
        { ...size(820, 1180), hasTouch: true, isMobile: true, locale: 'cs-CZ', colorScheme: 'dark' },
      ],
    ];
    for (const [kind, context] of kinds) {
      const desktop = await open({ context });
      await desktop.startTerminal();
      await everyState(desktop, (name) => screenshot(desktop.page, SHOTS, `${kind}-${name}`));
      await signedOut(desktop, (name) => screenshot(desktop.page, SHOTS, `${kind}-${name}`));
    }
  });

  test('lets the keyboard out of the desktop, to all that the bar has', async () => {
    const { page, received, startTerminal } = await open();
    await startTerminal();
    expect(await focused(page)).toBe('keyboard');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('keyboard');
    await page.keyboard.press('Control+Alt+Shift');
    expect(await focused(page)).toBe('save-now');
    const reached: string[] = [];
    for (let count = 0; count < 9 && (await focused(page)) !== 'keyboard'; count += 1) {
      reached.push(await focused(page));
      await page.keyboard.press('Tab');
    }
    expect(reached.slice(0, 8)).toEqual([
      'save-now',
      'status-toggle',
      'files-toggle',
      'clipboard-toggle',
      'share-toggle',
      'settings-toggle',
      'fullscreen',
      'bar-hide',
    ]);
    await page.locator('#status-toggle').focus();
    await page.keyboard.press('Enter');
    await page.locator('#status').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#status').waitFor({ state: 'hidden' });
    expect(await focused(page)).toBe('keyboard');
    // No key of the shortcut stays down in the desktop.
    await page.keyboard.type('plain\n');
    await expect.poll(received).toContain('plain\n');
  });

  test('the desktop has the size of the window that is worked in', async () => {
    const { page, vnc, gateway } = await open();
    const sizeOf = async (each: Page) => {
      const box = await each.locator('#viewport').boundingBox();
      return { width: box?.width, height: box?.height };
    };
    const other = await page.context().newPage();
    await other.setViewportSize({ width: 900, height: 700 });
    await other.goto(gateway.origin);
    await waitForDesktop(other);
    await other.mouse.click(300, 300);
    await expect.poll(() => vnc.size()).toEqual(await sizeOf(other));
    await page.bringToFront();
    await page.mouse.click(300, 300);
    await expect.poll(() => vnc.size()).toEqual(await sizeOf(page));
    await page.locator('#status-toggle').click();
    await page.getByText('Open in 2 windows.').waitFor();
  });

  test('carries a clipboard of 4.9 MB each way, and refuses a longer one in words', async () => {
    const { page, vnc } = await open();
    const text = 'řádek '.repeat(700_000).slice(0, 4_400_000);
    await page.locator('#clipboard-toggle').click();
    await page.evaluate(`document.getElementById('clipboard-text').value = ${JSON.stringify(text)}; 0`);
    await page.getByRole('button', { name: 'Send to the desktop' }).click();
    await expect.poll(() => vnc.clipboard().length, { timeout: 30_000, interval: 1000 }).toBe(text.length);
    // In several pieces, as programs give away what is long.
    const back = 'zpátky '.repeat(620_000);
    vnc.setClipboard(back);
    await page.locator('#clipboard-toggle').click();
    await expect
      .poll(() => page.evaluate("document.getElementById('clipboard-text').value.length"), {
        timeout: 30_000,
      })
      .toBe(back.length);
    await page.evaluate("document.getElementById('clipboard-text').value = 'x'.repeat(9_000_000); 0");
    await page.getByRole('button', { name: 'Send to the desktop' }).click();
    await page.getByText('This text has 9.0 MB; the desktop takes at most 8.4 MB.').waitFor();
  });

  test('a switch keeps each clipboard to itself', async () => {
    const { page, vnc } = await open({ context: { permissions: ['clipboard-read', 'clipboard-write'] } });
    await page.evaluate("navigator.clipboard.writeText('of this computer')");
    await page.locator('#clipboard-toggle').click();
    await page.getByLabel('Give this computer what I copy in the desktop').uncheck();
    vnc.setClipboard('of the desktop');
    await expect.poll(() => page.locator('#clipboard-text').inputValue()).toBe('of the desktop');
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('of this computer');
    await page.getByLabel('Take over what I copy on this computer').uncheck();
    await page.evaluate("window.dispatchEvent(new Event('focus'))");
    await page.waitForTimeout(500);
    expect(vnc.clipboard()).toBe('of the desktop');
  });

  test('comes back at once when the desktop does, however long it was away', async () => {
    const { page, vnc, gateway } = await open();
    await vnc.stop();
    await page.locator('#overlay').waitFor();
    await page.waitForTimeout(9000);
    const again = await startXvnc(gateway.vncSocket);
    try {
      const began = performance.now();
      await waitForDesktop(page);
      expect(performance.now() - began).toBeLessThan(4000);
    } finally {
      await again.stop();
    }
  });

  test('asks before it is closed with something unsaved, or by a key that was meant for the desktop', async () => {
    const { page, sync } = await open();
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await page.mouse.click(300, 300);
    const reload = async () => {
      await page.reload();
      await waitForDesktop(page);
      await page.mouse.click(300, 300);
    };
    sync.set({ save: { ...READY_STATUS.save, unsavedChanges: false } });
    await page.waitForTimeout(500);
    await reload();
    expect(asked).toEqual([]);
    await page.keyboard.down('Control');
    await reload();
    expect(asked).toEqual(['beforeunload']);
    await page.keyboard.up('Control');
    sync.set({ save: { ...READY_STATUS.save, unsavedChanges: true } });
    await saveState(page).getByText('Not saved yet').waitFor();
    await page.waitForTimeout(500);
    await reload();
    expect(asked).toEqual(['beforeunload', 'beforeunload']);
    // Logging out is no mistake.
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByText('You are logged out').waitFor();
    expect(asked.length).toBe(2);
  });

  test('a failed save is told once, until its cause is gone; advice covers nothing', async () => {
    const { page, sync } = await open();
    sync.set({ warnings: BUSY.warnings });
    sync.saveAnswer = { status: 503, body: { message: 'The project space is full.' } };
    await page.getByRole('button', { name: 'Save now' }).click();
    await page.getByText('The project space is full.').waitFor();
    const lastError = 'The project space is full.';
    const problem = {
      code: 'space-full',
      space: 'project',
      message: lastError,
      since: hoursFromNow(0),
    } as const;
    sync.set({ save: { ...READY_STATUS.save, lastError }, problems: [problem] });
    await page.getByText('Your projects: The project space is full.').waitFor();
    expect(await page.locator('#banner p').count()).toBe(1);
    sync.set({ save: READY_STATUS.save, problems: [] });
    await page.locator('#banner').waitFor({ state: 'hidden' });
    await page.locator('#status-toggle').click();
    await page.getByText('The token may write, and only needs to read.').waitFor();
    expect(await page.locator('#status-badge').textContent()).toBe('1');
  });

  test('on a phone the whole desktop can be reached, and there is a keyboard', async () => {
    const context = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const { page, received, startTerminal } = await open({ context });
    await startTerminal();
    const scrolled = () => page.evaluate("document.getElementById('scroller').scrollLeft") as Promise<number>;
    const session = await page.context().newCDPSession(page);
    const swipe = async () => {
      const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x?: number) =>
        session.send('Input.dispatchTouchEvent', {
          type,
          touchPoints: x === undefined ? [] : [{ x, y: 400 }],
        });
      await touch('touchStart', 320);
      for (let x = 310; x >= 80; x -= 10) {
        await touch('touchMove', x);
        await page.waitForTimeout(16);
      }
      await touch('touchEnd');
      await page.waitForTimeout(300);
    };
    await swipe();
    expect(await scrolled()).toBe(0);
    await page.locator('#move-toggle').tap();
    await swipe();
    expect(await scrolled()).toBeGreaterThan(100);
    await page.locator('#move-toggle').tap();
    expect(await page.locator('#keyboard').getAttribute('inputmode')).toBe('none');
    await page.locator('#keyboard-toggle').tap();
    expect(await page.locator('#keyboard').getAttribute('inputmode')).toBe('text');
    expect(await focused(page)).toBe('keyboard');
    // As a keyboard on the screen does it: text, and a removal of text, without keys.
    await session.send('Input.insertText', { text: 'wrongž' });
    await page.evaluate("document.execCommand('delete')");
    await session.send('Input.insertText', { text: ' right' });
    await page.waitForTimeout(500);
    await page.keyboard.press('Enter');
    await expect.poll(received).toBe('wrong right\n');
    await page.getByRole('button', { name: 'Ctrl' }).tap();
    await page.keyboard.press('d');
    await expect.poll(() => heldCtrl(page)).toBe('false');
  });
});

/** The held modifier went with the key. */
const heldCtrl = (page: Page) => page.getByRole('button', { name: 'Ctrl' }).getAttribute('aria-pressed');
