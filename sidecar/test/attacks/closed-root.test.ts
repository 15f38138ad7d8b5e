import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { goodOf, handOver } from './good-files.ts';
import type { Kind } from './harness.ts';
import { expectElsewhere, inWorld, succeeds, withProject } from './lives.ts';
import { attack, type Row } from './rows.ts';

/**
 * Somebody takes the rights from the folder that all of the project lies in. Where it may not be read, save and drain say
 * so and how to open it; the next container opens it by itself. Nothing counts as removed.
 */

interface RootRow extends Row {
  readonly mode: number;
  readonly isClosed: boolean;
}

const ROOTS: readonly RootRow[] = [
  { name: 'the root of the project has mode 000', mode: 0, isClosed: true, sample: 'mounted' },
  { name: 'the root of the project has mode 0311', mode: 0o311, isClosed: true },
  { name: 'the root of the project has mode 0444', mode: 0o444, isClosed: true },
  { name: 'the root of the project has mode 0555', mode: 0o555, isClosed: false, sample: 'mounted' },
];

async function closed({ mode, isClosed }: RootRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world, ends) => {
    const one = await withProject(world);
    await succeeds(one, 'save');
    writeFileSync(join(one.data, 'p/late'), 'work that is not saved yet');
    handOver(join(one.data, 'p/late'));
    const good = goodOf(one.data);
    chmodSync(one.data, mode);
    ends.push(() => chmodSync(one.data, 0o755));
    if (isClosed)
      for (const command of ['save', 'drain'] as const) {
        const { code, err } = await one.command(command);
        expect(code, err).toBe(3);
        expect(err).toContain('chmod u+rwx ~/ScipionUserData/projects');
        expect(err, 'no path of the container').not.toContain(one.data);
        const status = await one.status();
        expect(status?.problems.map((problem) => problem.code)).toEqual(['project-closed']);
        expect(status?.ready, 'the desktop is open, to open the folder').toBe(true);
      }
    else await succeeds(one, 'save');

    await one.kill();
    rmSync(one.paths.ready, { force: true });
    await world.spaces.project.write('elsewhere', contentOf('of somebody else'));
    one.launch();
    const { problems } = await one.ready();
    expect(problems).toEqual([]);
    const now = goodOf(one.data);
    expect(
      now.filter(([path]) => path !== 'elsewhere'),
      'the volume keeps all it had',
    ).toEqual(good);
    expect(readFileSync(join(one.data, 'elsewhere'), 'utf8')).toBe('of somebody else');
    await succeeds(one, 'drain');
    await one.stop();
    await expectElsewhere(world, now);
  });
}
attack('the root of the project is closed', ROOTS, closed);
