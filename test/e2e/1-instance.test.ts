import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INSTANCE_SPACES } from '../../emulators/onedata/configuration.ts';
import { PORTS } from '../../sidecar/contract/paths.ts';
import {
  launchBrowser,
  login,
  openPage,
  screenshot,
  shownScreen,
  waitForDesktop,
} from '../helpers/browser.ts';
import { importMicrographs, inspectProject, nextSave, syncStatus, treeOf, windowTitles } from './desktop.ts';
import { createSecondInstance } from './second-instance.ts';
import { leaks, listeningPorts } from './secrets.ts';
import { differences, spaceTree } from './spaces.ts';
import {
  ARTIFACTS,
  emulator,
  eventually,
  inContainer,
  kube,
  kubeNamespaces,
  local,
  NAMESPACE,
  POD,
} from './world.ts';

/**
 * The life of an instance as its user lives it, in order: created, opened while data is copied, worked in, saved,
 * removed, created again. On real pods, with real Scipion, in a real browser.
 */

const AUTOSAVE_SECONDS = 20;
const CREATE = ['up', '--config', `scipion:autosaveInterval=${AUTOSAVE_SECONDS} seconds`];
/** The 16 MB of sample data take half a minute then. */
const SLOW_BYTES_PER_SECOND = 500_000;
const PROJECT = 'apoferritin';

let browser: Browser;
let page: Page;
let url: string;
let password: string;
let sourceBefore: Awaited<ReturnType<typeof spaceTree>>;

const picture = (name: string) => screenshot(page, ARTIFACTS, name);
const project = (path: string) => `${PROJECT}/${path}`;

/** Tries to log in as a user does; answers the text of the page that comes. */
async function enter(secret: string): Promise<string> {
  await login(page, url, secret);
  return (await page.locator('body').textContent()) ?? '';
}

beforeAll(async () => {
  browser = await launchBrowser();
  page = await openPage(browser);
});

afterAll(async () => {
  await browser?.close();
});

describe('a new instance', () => {
  test('is created by one command that ends with its address', async () => {
    const onedata = await emulator();
    await onedata.clear(INSTANCE_SPACES.project);
    sourceBefore = await spaceTree('source');
    await onedata.set({ bytesPerSecond: SLOW_BYTES_PER_SECOND });
    const created = await local(CREATE);
    expect(created.output).toContain('Scipion is running.');
    expect(created.exitCode).toBe(0);
    url = /https:\S+/.exec(created.output)?.[0] ?? '';
    expect(new URL(url).hostname).toBe(`scipion.${NAMESPACE}.localhost`);
    password = (await local(['password'])).output.trim();
    expect(password.length).toBeGreaterThan(15);
  });

  test('refuses a wrong password', async () => {
    expect(await enter('not the password')).toContain('That is not the password');
    await picture('1-wrong-password');
  });

  test('shows the progress of the copy instead of the desktop', async () => {
    await enter(password);
    await page.locator('body[data-screen="progress"]').waitFor();
    await eventually('bytes of the source on the page', 30, async () => {
      const status = await syncStatus();
      return status.source.bytesDone > 0 && status.source.state === 'copying' ? true : undefined;
    });
    expect(await shownScreen(page)).toBe('progress');
    await picture('2-progress');
    expect((await syncStatus()).ready).toBe(false);
  });

  test('becomes the desktop with the projects window of Scipion', async () => {
    await (await emulator()).set({ bytesPerSecond: 0 });
    await waitForDesktop(page, 120_000);
    const titles = await eventually('the projects window', 60, async () => {
      const found = await windowTitles();
      return found.some((title) => /Scipion|Projects/.test(title)) ? found : undefined;
    });
    expect(titles.join('\n')).toMatch(/Projects/);
    await page.waitForTimeout(3000); // drawn after it is mapped
    await picture('3-desktop');
  });
});

describe('work in the desktop', () => {
  test('imports micrographs of the source as links', async () => {
    expect(await importMicrographs(PROJECT, 'first import')).toEqual({
      status: 'finished',
      outputs: { outputMicrographs: 6 },
      error: null,
    });
  });

  test('cannot write to the source', async () => {
    const refusal = inContainer('desktop', ['touch', '/mnt/vol-dataset/new']);
    await expect(refusal).rejects.toThrow(/Read-only file system/);
  });

  test('is in the space within an autosave interval, byte for byte', async () => {
    await nextSave(AUTOSAVE_SECONDS + 30);
    expect(differences(await treeOf('/mnt/vol-project'), await spaceTree('project'))).toEqual([]);
  });
});

describe('the pod', () => {
  test('runs everything as user 1000 under Pod Security restricted', async () => {
    const label = 'jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}';
    expect(await kube(['get', 'namespace', NAMESPACE, '--output', label])).toBe('restricted');
    for (const container of ['sync', 'gateway', 'desktop']) {
      const ids = await inContainer(container, [
        'sh',
        '-c',
        'cat /proc/[0-9]*/status | grep ^Uid: | sort -u',
      ]);
      expect(ids.trim().split(/\s+/).slice(1), container).toEqual(['1000', '1000', '1000', '1000']);
    }
  });

  test('listens for the gateway and the probes only: no VNC on TCP', async () => {
    // Jobs are off here.
    const { jobsProbes: _, ...open } = PORTS;
    expect(await listeningPorts()).toEqual(Object.values(open).sort((a, b) => a - b));
  });

  test('gives no token or password away, nor does the state of the stack', async () => {
    expect(await leaks()).toEqual([]);
  });

  test('has its namespace for itself: a second instance is refused by name', async () => {
    await expect(createSecondInstance()).rejects.toThrow(new RegExp(`namespace.*${NAMESPACE}`, 'i'));
    expect(await kube(['get', 'pod', POD, '--output', 'jsonpath={.status.phase}'])).toBe('Running');
  });
});

describe('removal', () => {
  let before: Awaited<ReturnType<typeof inspectProject>>;

  test('right after more work saves that work first', async () => {
    expect(await importMicrographs(PROJECT, 'second import')).toMatchObject({ status: 'finished' });
    before = await inspectProject(PROJECT);
    const tree = await treeOf('/mnt/vol-project');
    const removed = await local(['remove']);
    expect(removed.output).not.toContain('FAILED');
    expect(removed.exitCode).toBe(0);
    expect(await kubeNamespaces()).not.toContain(NAMESPACE);
    expect(differences(tree, await spaceTree('project'))).toEqual([]);
  });

  test('is undone by creating the instance again', async () => {
    expect((await local(CREATE)).exitCode).toBe(0);
    await eventually('the desktop', 120, async () => ((await syncStatus()).ready ? true : undefined));
    await eventually('the projects window', 60, async () =>
      (await windowTitles()).join().includes('Projects') ? true : undefined,
    );
    const after = await inspectProject(PROJECT);
    expect(after.projects).toEqual([PROJECT]);
    expect(after.runs).toEqual({ 'first import': 'finished', 'second import': 'finished' });
    expect(after.runs).toEqual(before.runs);
    expect(Object.keys(after.databases)).toEqual(Object.keys(before.databases));
    expect(new Set(Object.values(after.databases))).toEqual(new Set(['ok']));
    expect(after.links).toEqual(before.links);
    expect(Object.values(after.links)).toContain('/mnt/vol-dataset/micrographs/mic_001.mrc');
  });

  test('and all that was done left the source space as it was', async () => {
    expect(differences(await spaceTree('source'), sourceBefore)).toEqual([]);
  });

  test('is refused while the space cannot take the work, and nothing is deleted', async () => {
    await inContainer('desktop', ['sh', '-c', `echo unsaved > /mnt/vol-project/${project('notes.txt')}`]);
    const onedata = await emulator();
    const usedBytes = [...(await spaceTree('project')).values()].reduce((sum, { size = 0 }) => sum + size, 0);
    await onedata.setQuota(INSTANCE_SPACES.project, Math.floor(usedBytes / 2));
    const refused = await local(['remove']);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain('Nothing was removed');
    expect(await kube(['get', 'pod', POD, '--output', 'jsonpath={.status.phase}'])).toBe('Running');
    await onedata.setQuota(INSTANCE_SPACES.project, null);
    expect((await local(['remove'])).exitCode).toBe(0);
    expect((await spaceTree('project')).has(project('notes.txt'))).toBe(true);
  });
});
