import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders, openProject } from './world.ts';

const folders = new Folders();
afterAll(() => folders.clear());

/** A saved folder `d` with a file, a link and a directory in it, all old enough for their times to be trusted. */
async function given() {
  const context = await openProject(folders.make(), new MemorySpace({}), { clock: systemClock });
  await startProject(context);
  const at = (name: string) => join(context.data, 'd', name);
  fs.mkdirSync(at('inner'), { recursive: true });
  fs.writeFileSync(at('file'), 'text');
  fs.symlinkSync('file', at('link'));
  await new Promise((later) => setTimeout(later, 150));
  await save(context);
  await save(context);
  const look = () => context.tree.unchanged('d', context.state.base.stats('d'));
  return { context, at, look };
}

test('a directory that is as it was saved is told with the directories in it', async () => {
  const { context, look } = await given();
  const { inode, ctimeNs } = context.tree.look('d/inner') ?? {};
  expect(look()).toEqual(new Map([['inner', { inode, ctimeNs }]]));
  context.close();
});

const changes: Record<string, (at: (name: string) => string) => void> = {
  'other bytes of the same length and time': (at) => {
    const { atime, mtime } = fs.statSync(at('file'));
    fs.writeFileSync(at('file'), 'TEXT');
    fs.utimesSync(at('file'), atime, mtime);
  },
  'a longer file': (at) => fs.appendFileSync(at('file'), '.'),
  'another time': (at) => fs.utimesSync(at('file'), 1, 1),
  'another mode': (at) => fs.chmodSync(at('file'), 0o600),
  'another mode of a directory': (at) => fs.chmodSync(at('inner'), 0o700),
  'another name': (at) => fs.renameSync(at('file'), at('elif')),
  'one more': (at) => fs.writeFileSync(at('new'), ''),
  'one less': (at) => fs.unlinkSync(at('file')),
  'one less and one more': (at) => {
    fs.unlinkSync(at('file'));
    fs.writeFileSync(at('new'), '');
  },
  'a link to another place': (at) => {
    fs.unlinkSync(at('link'));
    fs.symlinkSync('inner', at('link'));
  },
  'a file instead of a link': (at) => {
    fs.unlinkSync(at('link'));
    fs.writeFileSync(at('link'), 'file');
  },
  'a link instead of the directory': (at) => {
    fs.renameSync(at(''), `${at('')}/../elsewhere`.replace('//', '/'));
    fs.symlinkSync('elsewhere', at('').replace(/\/$/, ''));
  },
  'no directory': (at) => fs.rmSync(at(''), { recursive: true }),
};

test.each(Object.entries(changes))('is not taken for unchanged: %s', async (_name, change) => {
  const { context, at, look } = await given();
  expect(look()).not.toBeNull();
  change(at);
  expect(look()).toBeNull();
  context.close();
});
