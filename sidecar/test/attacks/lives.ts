import { expect } from 'vitest';
import { fillSource, goodOf, makeGood } from './good-files.ts';
import { type Instance, type Kind, World } from './harness.ts';

/** What most rows have in common: spaces with data, an instance with a project, and new volumes that get it. */

/** Does the work in a world of its own, with data of a microscope in its source space. */
export async function inWorld(
  kind: Kind,
  work: (world: World, ends: (() => void)[]) => Promise<void>,
): Promise<void> {
  const world = await World.make(kind);
  /** Ends what the row left running, whatever comes of it. */
  const ends: (() => void)[] = [];
  try {
    await fillSource(world.spaces.source);
    await work(world, ends);
  } finally {
    for (const end of ends) end();
    await world.dispose();
  }
}

/** An instance whose desktop is open. */
export async function opened(world: World, name?: string): Promise<Instance> {
  const one = await world.instance(name);
  one.launch();
  await one.ready();
  return one;
}

/** As `opened`, with a project that is not saved yet. */
export async function withProject(world: World): Promise<Instance> {
  const one = await opened(world);
  makeGood(one.data);
  return one;
}

export async function succeeds(
  one: Instance,
  command: 'save' | 'drain' | 'refresh',
  why = '',
): Promise<void> {
  const { code, err } = await one.command(command);
  expect({ code, said: err }, `${command} ${why}: ${err}`).toEqual({ code: 0, said: '' });
}

/** New volumes open without a word and get all of this. */
export async function expectElsewhere(
  world: World,
  good: [string, string][],
  mayBeMore: (path: string) => boolean = () => false,
): Promise<void> {
  const two = await opened(world, 'lab/bob');
  const found = goodOf(two.data).filter(([path]) => !mayBeMore(path));
  expect(found, 'all of it is saved').toEqual(good);
  await two.stop();
}
