import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { GatewayConfig } from '../../sidecar/contract/config.ts';
import type { SyncStatus } from '../../sidecar/contract/status.ts';
import { type FakeSync, READY_STATUS, startFakeSync } from '../../sidecar/test/gateway/helpers/fake-sync.ts';
import {
  PASSWORD,
  type RunningGateway,
  startGateway,
} from '../../sidecar/test/gateway/helpers/start-gateway.ts';
import { browserMissing, launchBrowser, login, waitForDesktop } from '../helpers/browser.ts';
import { startXvnc, type Xvnc, xvncMissing } from './xvnc.ts';

export const missing = browserMissing() ?? xvncMissing();
if (missing) console.warn(`browser tests of the gateway are skipped: ${missing}`);

/** The browser's own crash says nothing of the gateway; every other failure stands. */
export const ofTheBrowser = { retry: { count: 1, condition: /Page crashed/ } };

export interface Desktop {
  readonly gateway: RunningGateway;
  readonly sync: FakeSync;
  readonly vnc: Xvnc;
  readonly page: Page;
  /** Another browser, which has no session. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** Text of the window that receives, once it was started. */
  received(): Promise<string>;
  startReceiver(): Promise<void>;
  /** The same with a terminal, which notes each line when it is complete. */
  startTerminal(): Promise<void>;
  /** Mistakes that the page wrote to its console. */
  readonly mistakes: readonly string[];
}

/** A browser for the tests of one file; each `open` has a gateway, a VNC server and a page of its own. */
export function desktops(): (options?: OpenOptions) => Promise<Desktop> {
  let browser: Browser;
  const ends: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(() => browser?.close());
  return async (options = {}) => {
    const desktop = await open(browser, ends, options);
    return desktop;
  };
}

export interface OpenOptions {
  readonly context?: BrowserContextOptions;
  readonly status?: Partial<SyncStatus>;
  /** Of the gateway. */
  readonly config?: Partial<GatewayConfig>;
}

let number = 0;

async function open(
  browser: Browser,
  ends: (() => Promise<unknown>)[],
  { context, status, config }: OpenOptions,
): Promise<Desktop> {
  const gateway = await startGateway(config === undefined ? {} : { config });
  ends.push(() => gateway.stop());
  const sync = await startFakeSync(gateway.syncSocket);
  ends.push(() => sync.stop());
  sync.set({ ...READY_STATUS, ...status });
  const vnc = await startXvnc(gateway.vncSocket);
  ends.push(() => vnc.stop());
  const opened = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...context });
  ends.push(() => opened.close());
  const page = await opened.newPage();
  const mistakes: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) mistakes.push(message.text());
  });
  page.on('pageerror', (error) => mistakes.push(error.message));
  number += 1;
  const file = join(tmpdir(), `gateway-received-${process.pid}-${number}`);
  ends.push(() => rm(file, { force: true }));
  const received = () => readFile(file, 'utf8').catch(() => '');
  await login(page, gateway.origin, PASSWORD);
  await waitForDesktop(page);
  const start = async (program: string, args: string[], title: string) => {
    vnc.run(program, args);
    await vnc.waitForWindow(title);
    await page.mouse.click(300, 300);
  };
  return {
    gateway,
    sync,
    vnc,
    page,
    async newContext(other) {
      const made = await browser.newContext(other);
      ends.push(() => made.close());
      return made;
    },
    mistakes,
    received,
    startReceiver: () => start('python3', [join(import.meta.dirname, 'receiver.py'), file], 'tk'),
    startTerminal: async () => {
      const shell = ['sh', '-c', `touch ${file}; exec cat >> ${file}`];
      await start('xterm', ['-geometry', '150x50+0+0', '-T', 'terminal', '-e', ...shell], 'terminal');
      // Its window is there before its shell, and what is typed between the two is lost.
      await expect.poll(() => existsSync(file)).toBe(true);
    },
  };
}
