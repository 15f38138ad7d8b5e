import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
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

/** Of a folder of the project. */
const textsIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));

test('every kind of space that is a class beside space.ts passes the contract suite', () => {
  const sources = textsIn(join(import.meta.dirname, '../../src/spaces'));
  const kinds = sources.flatMap((text) =>
    [...text.matchAll(/^(?:export )?class (\w+) (?:extends \w+Space|implements Space)\b/gm)].map(
      ([, name]) => name,
    ),
  );
  expect(kinds.length).toBeGreaterThan(1);
  const suites = textsIn(import.meta.dirname).filter((text) => text.includes('spaceContract('));
  expect(kinds.filter((kind) => !suites.some((text) => text.includes(`${kind}(`)))).toEqual([]);
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
