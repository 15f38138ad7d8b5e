import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { MemorySpace } from '../../sidecar/test/spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG } from '../../sidecar/test/sync/given-container.ts';
import { type Desktop, desktops, missing, ofTheBrowser } from './fixture.ts';

/** Of the file that is sent and fetched with cuts; 2147483648 is the full run. */
const BYTES = Number(process.env.GATEWAY_FILE_BYTES ?? 30_000_000);
/** Long enough for that on a busy machine. */
const LONG_MS = 60_000 + BYTES / 1000;

async function hashOf(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

describe.skipIf(missing)('files through the page, with the real engine behind it', ofTheBrowser, () => {
  const open = desktops();
  const containers = new Containers();
  const folders: string[] = [];
  afterEach(async () => {
    await containers.stopAll();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  async function openWithFiles(): Promise<Desktop & { project: string; local: string }> {
    const desktop = await open();
    await desktop.sync.stop();
    // The desktop runs already, and `sync` would wait for its end before it puts a project there.
    const paths = { ...(await containerPaths(desktop.gateway.directory)), vncSocket: 'none.sock' };
    const [source, project] = [new MemorySpace({}), new MemorySpace({})];
    const spaces = { source: () => source, project: () => project };
    await containers.start({ config: QUIET_CONFIG, paths, spaces, desktopWaitMs: 100, tokenWaitMs: 0 });
    await desktop.page.locator('#save-state').getByText('Nothing to save yet').waitFor();
    const local = mkdtempSync(join(tmpdir(), 'page-files-'));
    folders.push(local);
    return { ...desktop, project: desktop.gateway.projectDirectory, local };
  }

  test('are listed, sent by choice and by drop, and fetched, in both languages', async () => {
    const { page, project, local, mistakes } = await openWithFiles();
    mkdirSync(join(project, 'demo/Runs'), { recursive: true });
    writeFileSync(join(project, 'demo/notes.txt'), 'of the project');
    writeFileSync(join(local, 'čeština & <b>.txt'), 'sent');
    await page.locator('#files-toggle').click();
    await page.getByRole('button', { name: 'demo' }).click();
    await page.getByRole('link', { name: 'notes.txt' }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'notes.txt' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('notes.txt');
    expect(readFileSync(await download.path(), 'utf8')).toBe('of the project');

    await page.locator('#files-input').setInputFiles(join(local, 'čeština & <b>.txt'));
    await page.locator('#sending [role=status]').getByText('Uploaded as demo/čeština & <b>.txt.').waitFor();
    await page.getByRole('link', { name: 'čeština & <b>.txt' }).waitFor();
    expect(readFileSync(join(project, 'demo/čeština & <b>.txt'), 'utf8')).toBe('sent');
    await page.locator('#save-state').getByText('Not saved yet').waitFor();

    mkdirSync(join(local, 'folder/deeper'), { recursive: true });
    writeFileSync(join(local, 'notes.txt'), 'dropped');
    writeFileSync(join(local, 'folder/deeper/a.txt'), 'in a folder');
    await page.locator('#files-close').click();
    const data = {
      items: [],
      files: [join(local, 'notes.txt'), join(local, 'folder')],
      dragOperationsMask: 1,
    };
    const browser = await page.context().newCDPSession(page);
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await browser.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
    }
    await page.locator('#sending').getByText('Uploaded as demo/notes (2).txt.').waitFor();
    await page.locator('#sending').getByText('Uploaded as demo/folder/deeper/a.txt.').waitFor();
    expect(readFileSync(join(project, 'demo/notes (2).txt'), 'utf8')).toBe('dropped');
    expect(readFileSync(join(project, 'demo/folder/deeper/a.txt'), 'utf8')).toBe('in a folder');
    expect(readFileSync(join(project, 'demo/notes.txt'), 'utf8')).toBe('of the project');
    await page.evaluate(`document.cookie = '__Host-scipion-language=cs; Path=/; Secure'`);
    await page.reload();
    await page.locator('#files-toggle').click();
    await page.getByText('Kliknutím na soubor ho stáhnete.').waitFor();
    expect(mistakes).toEqual([]);
  });

  test('come back as they were in an older save', async () => {
    const { page, project } = await openWithFiles();
    mkdirSync(join(project, 'demo'));
    writeFileSync(join(project, 'demo/notes.txt'), 'first');
    const save = async () => {
      await page
        .locator('#save-state')
        .getByText(/Not saved yet|Unsaved/)
        .waitFor();
      await page.getByRole('button', { name: 'Save now' }).click();
      await page.locator('#save-state').getByText('All saved').waitFor();
    };
    await save();
    writeFileSync(join(project, 'demo/notes.txt'), 'second');
    await save();
    await page.locator('#files-toggle').click();
    await page.getByRole('button', { name: 'demo' }).click();
    await page.getByText('Older versions').click();
    const saves = page.locator('#saves-list li');
    await saves.nth(1).waitFor();
    expect(await page.locator('#saves-path').inputValue()).toBe('demo');
    await saves.nth(1).getByRole('button').click();
    await page
      .locator('#saves-hint')
      .getByText(/1 file, 5 B, are in restored-/)
      .waitFor();
    const [, folder = ''] =
      /in (restored-\w+)/.exec((await page.locator('#saves-hint').textContent()) ?? '') ?? [];
    expect(readFileSync(join(project, folder, 'demo/notes.txt'), 'utf8')).toBe('first');
    expect(readFileSync(join(project, 'demo/notes.txt'), 'utf8')).toBe('second');
    await page.locator('#saves-path').fill('nothing/there');
    await saves.nth(1).getByRole('button').click();
    await page
      .locator('#saves-hint')
      .getByText(/has nothing at nothing\/there/)
      .waitFor();
  });

  test('are reached with the keyboard alone', async () => {
    const { page, project } = await openWithFiles();
    mkdirSync(join(project, 'demo'));
    writeFileSync(join(project, 'demo/notes.txt'), 'of the project');
    const focus = async (name: string) => {
      for (let presses = 0; presses < 40; presses += 1) {
        const text = await page.evaluate('document.activeElement.textContent.trim()');
        if (text === name) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`the keyboard does not reach ${name}`);
    };
    await page.keyboard.press('Control+Alt+Shift');
    await focus('Files');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'demo' }).waitFor();
    await focus('demo');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'notes.txt' }).waitFor();
    await focus('notes.txt');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect(download.suggestedFilename()).toBe('notes.txt');
    await page.keyboard.press('Escape');
    expect(await page.locator('#files').isHidden()).toBe(true);
  });

  test(`of ${BYTES} bytes go on after a cut, there and back`, { timeout: LONG_MS }, async () => {
    const { page, project, local, gateway } = await openWithFiles();
    const path = join(local, 'movie.mrc');
    writeFileSync(path, '');
    truncateSync(path, BYTES);
    const file = openSync(path, 'r+');
    for (let at = 0; at < BYTES; at += 1_000_003) writeSync(file, String(at), at);
    await page.locator('#files-toggle').click();
    let began = performance.now();
    await page.locator('#files-input').setInputFiles(path);
    const bar = page.locator('#sending progress');
    const sent = () => bar.evaluate('(bar) => bar.value') as Promise<number>;
    while ((await sent()) < BYTES / 4) await page.waitForTimeout(20);
    await page.context().setOffline(true);
    await page.locator('#sending li[data-state=retrying]').waitFor();
    await page.context().setOffline(false);
    while ((await sent()) < BYTES / 2) await page.waitForTimeout(20);
    // Another page, which knows nothing of the first, is given the same file.
    page.once('dialog', (dialog) => void dialog.accept());
    await page.reload();
    await page.locator('#files-toggle').click();
    await page.locator('#files-input').setInputFiles(path);
    await page.locator('#sending').getByText('Uploaded as movie.mrc.').waitFor({ timeout: LONG_MS });
    console.log(`sent ${BYTES} bytes with two cuts in ${Math.round(performance.now() - began)} ms`);
    const expected = await hashOf(createReadStream(path));
    expect(await hashOf(createReadStream(join(project, 'movie.mrc')))).toBe(expected);
    expect(existsSync(join(project, 'movie (2).mrc'))).toBe(false);

    const cookies = await page.context().cookies();
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const url = `${gateway.origin}/files/content?path=movie.mrc`;
    began = performance.now();
    const hash = createHash('sha256');
    let [got, cuts] = [0, 0];
    let etag = '';
    while (got < BYTES) {
      const headers = { cookie, ...(got === 0 ? {} : { range: `bytes=${got}-`, 'if-range': etag }) };
      const request = get(url, { headers });
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(got === 0 ? 200 : 206);
      etag = String(answer.headers.etag);
      const until = got + BYTES / 3;
      for await (const chunk of answer) {
        hash.update(chunk as Buffer);
        got += (chunk as Buffer).length;
        if (got > until && got < BYTES) break;
      }
      cuts += 1;
    }
    console.log(`fetched ${BYTES} bytes in ${cuts} parts in ${Math.round(performance.now() - began)} ms`);
    expect(cuts).toBeGreaterThan(2);
    expect(hash.digest('hex')).toBe(expected);
  });
});
