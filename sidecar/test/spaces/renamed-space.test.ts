import { afterAll, beforeAll, expect, test } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());

test('a space that is renamed while it is in use loses nothing of its content', async () => {
  const spaceId = await given.addSpace();
  const space = given.open(spaceId);
  await space.makeDirectory('runs');
  await space.write('runs/one.mrc', contentOf('one'));
  await given.emulator.addSpace({ id: spaceId, name: 'Another name', supported: true });
  // The name is asked again at most once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  expect(await space.stat({ path: 'runs/one.mrc' })).toMatchObject({ kind: 'file', size: 3 });
  await space.move({ path: 'runs/one.mrc', kind: 'file' }, 'runs/two.mrc');
  expect(await space.stat({ path: 'runs/one.mrc' })).toBeNull();
  await space.close();
});
