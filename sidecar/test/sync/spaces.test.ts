import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectorySpace } from '../../src/sync/directory-space.ts';
import { MemorySpace } from '../../src/sync/memory-space.ts';
import { spaceContract } from './space-contract.ts';

spaceContract('memory', async () => ({ space: new MemorySpace() }));

spaceContract('mounted directory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'space-'));
  return { space: new DirectorySpace(root), dispose: () => rm(root, { recursive: true, force: true }) };
});
