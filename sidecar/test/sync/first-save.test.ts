import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import type { Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { Folders, openProject } from './world.ts';

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(async () => {
  await given.dispose();
  folders.clear();
});

const { now } = performance;
/** Each move into place takes a tenth of a second by the clock of this process, however fast this machine is. */
const MOVE_MS = 100;

function slowMoves(space: Space): Space {
  let passed = 0;
  performance.now = () => now.call(performance) + passed;
  const after = <T>(result: Promise<T>) =>
    result.finally(() => {
      passed += MOVE_MS;
    });
  return {
    ...space,
    move: (...args) => after(space.move(...args)),
    makeSymlink: (...args) => after(space.makeSymlink(...args)),
    get capabilities() {
      return space.capabilities;
    },
  };
}

/** @returns requests of the first save for each of so many entries that `make` makes */
async function firstSave(entries: number, make: (data: string) => void): Promise<number> {
  const space = withRetry(given.open(await given.addSpace()));
  const context = await openProject(folders.make(), slowMoves(space));
  try {
    await startProject(context);
    make(context.data);
    given.emulator.context.faults.clear();
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    return given.emulator.context.faults.requests / entries;
  } finally {
    performance.now = now;
    context.close();
    await space.close();
  }
}

test('a first save of minutes makes as many requests a file as a short one, for folders side by side', async () => {
  const requests = await firstSave(1_000, (data) => {
    for (let folder = 0; folder < 100; folder += 1) {
      mkdirSync(join(data, `d${folder}`));
      for (let file = 0; file < 10; file += 1) writeFileSync(join(data, `d${folder}/f${file}`), `${folder}`);
    }
  });
  // An upload and a move for each file, a request for each folder, and some forty for the save itself.
  expect(requests).toBeLessThan(2.5);
});

test('links, however long it takes to make them', async () => {
  const requests = await firstSave(600, (data) => {
    mkdirSync(join(data, 'd'));
    for (let link = 0; link < 600; link += 1)
      symlinkSync(`/mnt/vol-dataset/${link}`, join(data, `d/l${link}`));
  });
  // To make one and to ask what was made.
  expect(requests).toBeLessThan(2.2);
});

test('one flat folder', async () => {
  const requests = await firstSave(1_500, (data) => {
    mkdirSync(join(data, 'd'));
    for (let file = 0; file < 1_500; file += 1) writeFileSync(join(data, `d/f${file}`), `${file}`);
  });
  expect(requests).toBeLessThan(2.2);
});
