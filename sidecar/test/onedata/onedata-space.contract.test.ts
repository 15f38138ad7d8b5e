import { afterAll, beforeAll, describe } from 'vitest';
import { spaceContract } from '../sync/space-contract.ts';
import { type GivenStandIn, givenStandIn } from './given-stand-in.ts';

describe.each(['21.02.1', '21.02.4', '21.02.5', '21.02.8'] as const)('provider %s', (version) => {
  let given: GivenStandIn;
  beforeAll(async () => {
    given = await givenStandIn({ version });
  });
  afterAll(() => given.dispose());

  spaceContract(`onedata ${version}`, async () => ({ space: given.open(await given.addSpace()) }));
});
