import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { expectSource, goodOf, handOver, ODD } from './good-files.ts';
import { type Instance, IS_ROOT, snapshot } from './harness.ts';
import { inWorld, opened, succeeds, withProject } from './lives.ts';
import { isOfTheSystem, type OddKind } from './odd-kind.ts';
import { ODD_GROUPS } from './odd-kinds.ts';
import { attack, type Row } from './rows.ts';

/**
 * Odd files that somebody else has put into a space, which a mounted directory shows: staged in from the source space,
 * restored from the project space. Each arrives, or is named by the status, or is a kind of entry that is never copied.
 */

interface SpaceRow extends Row {
  readonly odd: readonly OddKind[];
}

const folderOf = (index: number) => `odd ${String(index).padStart(2, '0')}`;

function fill(folder: string, odd: readonly OddKind[], ends: (() => void)[]): void {
  for (const [index, { make, isForeign }] of odd.entries()) {
    const own = join(folder, folderOf(index));
    mkdirSync(own);
    handOver(own);
    const made = make(own);
    if (typeof made === 'function') ends.push(made as () => void);
    if (isForeign !== true) handOver(own);
  }
}

/** Kind and content of what is in the folder of each, without modes and times, which belong to whoever made it. */
function arrived(folder: string, index: number): string[] {
  const all = snapshot(folder, (name) => name === folderOf(index));
  return [...all]
    .map(([path, what]) => `${path} ${path.endsWith('/') ? '' : what.split(' ').slice(-2)}`)
    .sort();
}

async function judge(one: Instance, there: string, here: string, odd: readonly OddKind[]): Promise<void> {
  const status = JSON.stringify(await one.status());
  expect(
    [...snapshot(here, () => true).keys()].filter(isOfTheSystem),
    'nothing outside of the space comes',
  ).toEqual([]);
  const wrong: string[] = [];
  for (const [index, each] of odd.entries()) {
    const { name, isAlive, isRenamed, fate: usual, inSpace: fate = usual } = each;
    const isNamed = status.includes(folderOf(index));
    if (fate === 'named' && !isNamed && !isLong(odd)) wrong.push(`${name}: status does not name it`);
    if (isNamed && (fate === 'kept' || fate === 'left') && !isLong(odd))
      wrong.push(`${name}: it does not come`);
    if (isNamed || fate === 'left' || isAlive) continue;
    const isOther = isRenamed === true && here.startsWith(one.data);
    const what = (all: string[]) => (isOther ? all.map((text) => text.slice(text.lastIndexOf(' '))) : all);
    const [expected, found] = [what(arrived(there, index)), what(arrived(here, index))];
    if (JSON.stringify(expected) !== JSON.stringify(found))
      wrong.push(`${name}: ${expected.join()} came as ${found.join()}, and nothing is told`);
  }
  expect(wrong, `${wrong.join('; ')}. Status: ${status}`).toEqual([]);
}

/** Paths in a space are shorter or longer than those on a volume: one that comes and one that is named are both right. */
const isLong = (odd: readonly OddKind[]) =>
  odd.some((each) => ODD_GROUPS['long paths']?.includes(each) === true);

async function staged({ odd }: SpaceRow): Promise<void> {
  await inWorld('mounted', async (world, ends) => {
    const folder = join(world.ids.source, 'n');
    fill(folder, odd, ends);
    const one = await opened(world);
    expectSource(one);
    for (const end of ends.splice(0)) end();
    await judge(one, folder, join(one.sourceData, 'n'), odd);
    await one.stop();
  });
}

async function restored({ odd }: SpaceRow): Promise<void> {
  await inWorld('mounted', async (world, ends) => {
    const one = await withProject(world);
    await succeeds(one, 'drain');
    await one.stop();
    fill(join(world.ids.project, 'p'), odd, ends);
    const two = await world.instance('lab/bob');
    two.launch();
    await two.readyWithout(1_000);
    for (const end of ends.splice(0)) end();
    expect(goodOf(two.data), 'all other files come').toEqual(goodOf(one.data));
    await judge(two, join(world.ids.project, 'p'), join(two.data, 'p'), odd);
    const drained = await two.command('drain');
    expect([0, 3], drained.err).toContain(drained.code);
    if (drained.code === 3) expect(drained.err).toContain(ODD);
    await two.stop();
  });
}

/** Of a database that is open elsewhere only its files are seen. */
const GROUPS = Object.entries(ODD_GROUPS).filter(([group]) => group !== 'databases');
const ROWS: readonly SpaceRow[] = GROUPS.flatMap(([group, all]) => {
  const odd = all.filter(({ isForeign }) => IS_ROOT || isForeign !== true);
  const kinds = ['mounted'] as const;
  const single = odd.map((each) => ({ name: each.name, kinds, odd: [each], isPart: true }));
  return [{ name: `odd ${group}`, kinds, odd }, ...single];
});
attack('odd files in the source space', ROWS, staged);
attack('odd files in the project space', ROWS, restored);
