import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { MemorySpace } from './memory-space.ts';
import { spaceContract } from './space-contract.ts';

spaceContract('memory', async () => ({ space: new MemorySpace() }));

spaceContract('mounted directory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'space-'));
  return { space: new DirectorySpace(root), dispose: () => rm(root, { recursive: true, force: true }) };
});

test('a listing that is left early leaves no folder open', async () => {
  const root = await mkdtemp(join(tmpdir(), 'space-'));
  for (let n = 0; n < 50; n += 1) await writeFile(join(root, `file-${n}`), '');
  const space = new DirectorySpace(root);
  const opened = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === realpathSync(root);
      } catch {
        return false;
      }
    });
  for (let n = 0; n < 3; n += 1) for await (const _ of space.list({ path: '' })) break;
  expect(opened()).toEqual([]);
  await rm(root, { recursive: true });
});
