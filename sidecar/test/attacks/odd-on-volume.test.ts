import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { changeGood, expectSource, goodOf, handOver, oddOf } from './good-files.ts';
import { IS_ROOT, KINDS, type Kind } from './harness.ts';
import { inWorld, succeeds, withProject } from './lives.ts';
import { isOfTheSystem, type OddKind } from './odd-kind.ts';
import { ODD_GROUPS } from './odd-kinds.ts';
import { attack, type Row } from './rows.ts';

/**
 * Odd files on the project volume: saved, drained, restored to new volumes. Those of a group are tried together, each in
 * a folder of its own, and each is judged by itself.
 */

interface OddRow extends Row {
  readonly odd: readonly OddKind[];
}

const folderOf = (index: number) => `odd ${String(index).padStart(2, '0')}`;

/** What of this text speaks of the folder with this number. */
const speaksOf = (text: string, index: number) => text.includes(`p/${folderOf(index)}`);

/** Below the folder with this number. */
const below = (all: Map<string, string>, index: number) =>
  [...all].filter(([path]) => path.startsWith(folderOf(index))).sort();

async function life({ odd }: OddRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world, ends) => {
    const one = await withProject(world);
    await succeeds(one, 'save');

    for (const [index, { make, isForeign }] of odd.entries()) {
      const folder = join(one.data, 'p', folderOf(index));
      mkdirSync(folder);
      handOver(folder);
      const made = make(folder);
      if (typeof made === 'function') ends.push(made as () => void);
      if (isForeign !== true) handOver(folder);
    }
    changeGood(one.data);
    await one.command('save');
    const status = JSON.stringify(await one.status());
    const drained = await one.command('drain');
    const said = drained.err + drained.out;
    const wrong: string[] = [];
    const named = new Set([...odd.keys()].filter((index) => speaksOf(said, index)));
    for (const [index, { name, fate }] of odd.entries()) {
      const isNamed = named.has(index);
      if (fate === 'named' && !isNamed) wrong.push(`${name}: the drain does not name it`);
      if (fate === 'named' && !speaksOf(status, index)) wrong.push(`${name}: status does not name it`);
      if ((fate === 'kept' || fate === 'left') && isNamed) wrong.push(`${name}: it stays behind`);
    }
    expect(wrong, `${wrong.join('; ')}. A drain with code ${drained.code} said: ${drained.err}`).toEqual([]);
    expect(drained.code, said).toBe(named.size > 0 ? 3 : 0);

    // The way out that the sentences name: what stayed behind is taken away.
    for (const end of ends.splice(0)) end();
    for (const index of named)
      spawnSync('sh', ['-c', 'chmod -R u+rwX "$1"; rm -rf "$1"', 'sh', join(one.data, 'p', folderOf(index))]);
    const [good, before] = [goodOf(one.data), oddOf(one.data)];
    await succeeds(one, 'drain', 'what stayed behind is gone');
    await one.stop();

    const two = await world.instance('lab/bob');
    two.launch();
    const { problems } = await two.ready();
    expect(problems, 'problems after the restore').toEqual([]);
    expect(goodOf(two.data), 'all other files come back').toEqual(good);
    expectSource(two);
    const after = oddOf(two.data);
    expect([...after.keys()].filter(isOfTheSystem), 'nothing outside of the project is saved').toEqual([]);
    for (const [index, { name, fate, isAlive }] of odd.entries()) {
      if (named.has(index) || fate === 'left' || isAlive) continue;
      if (JSON.stringify(below(after, index)) !== JSON.stringify(below(before, index)))
        wrong.push(
          `${name}: ${JSON.stringify(below(before, index))} came back as ${JSON.stringify(below(after, index))}`,
        );
    }
    expect(wrong, wrong.join('; ')).toEqual([]);
    await two.stop();
  });
}

const possible = (odd: readonly OddKind[]) => odd.filter(({ isForeign }) => IS_ROOT || isForeign !== true);

const ROWS = Object.entries(ODD_GROUPS).flatMap(([group, all]): OddRow[] => {
  const kinds = possible(all);
  const groups = KINDS.map((kind) => ({
    name: `odd ${group}`,
    kinds: [kind],
    odd: kinds.filter(({ fails }) => fails?.[kind] === undefined),
    ...(group === 'rights' ? { sample: 'rest' as const } : {}),
  }));
  const single = kinds.flatMap((each) =>
    KINDS.map((kind) => {
      const fails = each.fails?.[kind];
      return { name: each.name, kinds: [kind], odd: [each], ...(fails ? { fails } : { isPart: true }) };
    }),
  );
  return [...groups, ...single];
});
attack('odd files on the project volume', ROWS, life);
