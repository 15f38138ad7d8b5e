import { afterAll, beforeAll, describe } from 'vitest';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';
import { spaceContract } from './space-contract.ts';

describe.each(['21.02.1', '21.02.4', '21.02.5', '21.02.8'] as const)('provider %s', (version) => {
  let given: GivenEmulator;
  beforeAll(async () => {
    given = await givenEmulator({ version });
  });
  afterAll(() => given.dispose());

  spaceContract(`onedata ${version}`, async () => ({ space: given.open(await given.addSpace()) }));
});
