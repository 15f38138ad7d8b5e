import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { DEFAULT_RETRY, withRetry } from '../../src/spaces/retry.ts';
import { SpaceError } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { faultyPaths } from './faulty-paths.ts';
import { Folders, openProject } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

test('a space that does not answer is known after the repeats of one call, so that it is said within a minute', async () => {
  let isDown = false;
  let calls = 0;
  const space = faultyPaths(new MemorySpace(), () => {
    if (!isDown) return null;
    calls += 1;
    return new SpaceError('unreachable', 'connect ECONNREFUSED');
  });
  const context = await openProject(folders.make(), withRetry(space, { firstWaitMs: 1, maxWaitMs: 2 }));
  await startProject(context);
  writeFileSync(join(context.data, 'work'), 'x');
  await save(context);
  isDown = true;
  writeFileSync(join(context.data, 'work'), 'more');
  await expect(save(context)).rejects.toThrow('ECONNREFUSED');
  // And one that asks for the space itself.
  expect(calls).toBe(1 + DEFAULT_RETRY.retries + 1);
  context.close();
});
