import { spaceContract } from '../spaces/space-contract.ts';
import { openCase, readCase } from './check-case.ts';
import { folderSpace } from './folder-space.ts';

const file = process.env.ONEDATA_CHECK;
if (!file) throw new Error('These tests are run by "npm run onedata:check".');
const given = readCase(file);
let count = 0;

spaceContract(`${given.host}, space ${given.spaceId}`, async () => {
  const space = openCase(given);
  const folder = `${given.folder}/${++count}`;
  await space.makeDirectory(folder);
  return { space: folderSpace(space, folder) };
});
