import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { contentOf, readAll } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders } from './world.ts';

/** `sync verify` and `sync repair` against a running container. */

const folders = new Folders();
const containers = new Containers();
let paths: SyncPaths;
let space: MemorySpace;
let data: string;
beforeEach(async () => {
  paths = await containerPaths(folders.make());
  data = join(paths.projectVolume, 'data');
  space = new MemorySpace({ identity: 'memory://project', nowSeconds: () => 1_700_000_000 });
});
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

/** @param missing so many files that are damaged: a person opens the desktop without them */
async function start(missing = 0) {
  await containers.start({
    config: QUIET_CONFIG,
    paths,
    spaces: { source: () => new MemorySpace({ identity: 'memory://source' }), project: () => space },
    desktopWaitMs: 100,
  });
  if (missing > 0) {
    await untilStatus(paths.syncSocket, 'the choice', ({ problems }) =>
      problems.some(({ code }) => code === 'files-missing'),
    );
    await ask(paths.syncSocket, 'POST', '/v1/confirm', { what: 'missing', count: missing });
  }
  await untilStatus(paths.syncSocket, 'open', ({ ready }) => ready);
}

async function run(command: (context: commands.CommandContext) => Promise<number>) {
  const lines: string[] = [];
  const out = (line: string) => void lines.push(line);
  const code = await commands.guarded({ socket: paths.syncSocket, out, err: out }, () =>
    command({ socket: paths.syncSocket, out, err: out }),
  );
  return { code, text: lines.join('\n') };
}

const verify = () => run((context) => commands.verify(context, {}));
const repair = () => run(commands.repair);
const saveNow = () => ask(paths.syncSocket, 'POST', '/v1/save?wait=true');

async function saved() {
  await start();
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(data, name), `content of ${name}`);
  symlinkSync('a', join(data, 'link'));
  await saveNow();
}

describe('sync verify and sync repair', () => {
  test('a whole space: nothing is found, nothing is mended', async () => {
    await saved();
    expect(await verify()).toMatchObject({
      code: EXIT_CODES.done,
      text: expect.stringMatching(/all 4 files/),
    });
    expect(await repair()).toMatchObject({ code: EXIT_CODES.done, text: 'there was nothing to mend' });
  });

  test('rotten and missing files are named, and sent again from the volume', async () => {
    await saved();
    await space.write('a', contentOf('content of x'));
    await space.removeFile('b');
    const found = await verify();
    expect(found.code).toBe(EXIT_CODES.damaged);
    expect(found.text).toMatch(/rotten +a has other content/);
    expect(found.text).toMatch(/missing +b is not in the space/);
    const { problems } = await untilStatus(paths.syncSocket, 'told', (status) => status.problems.length > 0);
    expect(problems[0]?.message).toMatch(/2 things .* a has other content .*sync repair/);
    const mended = await repair();
    expect(mended).toMatchObject({
      code: EXIT_CODES.done,
      text: expect.stringContaining('a: sent again from the volume'),
    });
    expect((await readAll(space, { path: 'a' }, 100)).toString()).toBe('content of a');
    expect((await readAll(space, { path: 'b' }, 100)).toString()).toBe('content of b');
    expect(await verify()).toMatchObject({ code: EXIT_CODES.done });
    await untilStatus(paths.syncSocket, 'no problem', (status) => status.problems.length === 0);
  });

  test('a file that the volume lacks comes back in its older version; one without a version is left, by name', async () => {
    await saved();
    writeFileSync(join(data, 'a'), 'newer content of a');
    await saveNow();
    await containers.stopAll();
    await space.write('a', contentOf('rotten content of '));
    await space.write('d', contentOf('content of x'));
    rmSync(paths.projectVolume, { recursive: true });
    rmSync(paths.ready, { force: true });
    const fresh = await containerPaths(folders.make());
    paths = fresh;
    data = join(paths.projectVolume, 'data');
    await start(2);
    expect((await verify()).code).toBe(EXIT_CODES.damaged);
    const mended = await repair();
    expect(mended.code).toBe(EXIT_CODES.damaged);
    expect(mended.text).toMatch(/mended +a: its newest older version/);
    expect(mended.text).toMatch(/left +d has other content .*backup/);
    expect(readFileSync(join(data, 'a'), 'utf8')).toBe('content of a');
  });

  test('head, segments and strangers in the hidden folder', async () => {
    await saved();
    const segments: string[] = [];
    for await (const { path } of space.list({ path: '.scipion-sync/manifest' })) segments.push(path);
    await space.write(String(segments[0]), contentOf('garbage\n'));
    await space.write('.scipion-sync/head.json', contentOf(''));
    await space.write('.scipion-sync/notes of a person', contentOf('x'));
    const found = await verify();
    expect(found.text).toMatch(/engine +\.scipion-sync\/head\.json is not what was written/);
    expect(found.text).toMatch(/stray +\.scipion-sync\/notes of a person/);
    const mended = await repair();
    expect(mended.text).toMatch(/mended +head\.json .* was damaged/);
    expect(mended.text).toMatch(/mended +wrote the manifest again/);
    expect(mended.text).toMatch(/left +\.scipion-sync\/notes of a person/);
    await space.removeFile('.scipion-sync/notes of a person');
    expect(await verify()).toMatchObject({ code: EXIT_CODES.done });
  });

  test('a check that was broken off continues where it was after a restart', async () => {
    await saved();
    const read = space.read.bind(space);
    let reads = 0;
    space.read = async function* (file, options) {
      if (['a', 'b', 'c', 'd'].includes(file.path) && ++reads === 3) throw new Error('the process ends here');
      yield* read(file, options);
    };
    expect((await verify()).code).not.toBe(EXIT_CODES.done);
    expect(reads).toBe(3);
    await containers.stopAll();
    await start();
    expect(await verify()).toMatchObject({
      code: EXIT_CODES.done,
      text: expect.stringMatching(/all 4 files/),
    });
  });

  test('repair before any check is refused', async () => {
    await saved();
    expect(await repair()).toMatchObject({ text: expect.stringContaining('sync verify') });
  });
});
