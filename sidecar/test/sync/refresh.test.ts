import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { contentOf, SpaceError } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { dumpFolder, Folders, sorted, visible } from './world.ts';

const folders = new Folders();
const containers = new Containers();

afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

test('a refresh is under way from its first moment, and one that fails leaves what there was', async () => {
  const paths = await containerPaths(folders.make());
  const source = new MemorySpace({ identity: 'memory://source' });
  const project = new MemorySpace({ identity: 'memory://project' });
  await source.write('old', contentOf('old'));
  await containers.start({
    config: QUIET_CONFIG,
    paths,
    spaces: { source: () => source, project: () => project },
    desktopWaitMs: 300,
    leaseTimes: { heartbeatMs: 50 },
  });
  const until = (state: string) =>
    untilStatus(paths.syncSocket, state, (status) => status.ready && status.source.state === state, 20);
  const before = await until('done');
  const answer = Promise.withResolvers<void>();
  source.check = async () => {
    await answer.promise;
    throw new SpaceError('unreachable', 'no route');
  };
  const refresh = () => ask(paths.syncSocket, 'POST', '/v1/refresh-source');
  const refused = expect(refresh()).rejects.toThrow(/does not answer/);
  await until('listing');
  answer.resolve();
  await refused;
  source.check = async () => {
    throw new SpaceError('token-invalid', 'HTTP 401');
  };
  await expect(refresh(), 'the space that is meant').rejects.toThrow(
    /token of the source space.*sourceToken/,
  );
  expect((await until('done')).source).toEqual(before.source);
  source.check = async () => undefined;
  await source.write('new', contentOf('new'));
  await refresh();
  expect(sorted(dumpFolder(join(paths.sourceVolume, 'data')))).toEqual(sorted(await visible(source)));
});
