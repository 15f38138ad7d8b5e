import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { FaultOrder } from './fault-order.ts';
import { changeGood, expectSource, goodOf, handOver } from './good-files.ts';
import type { Instance, Kind } from './harness.ts';
import { inWorld, opened, succeeds, withProject } from './lives.ts';
import { attack, type Row } from './rows.ts';

/** Every errno of every call, each for a file of its own, while all others pass. */

const READING = ['lstat', 'open', 'fstat', 'read', 'readlink', 'readdir'] as const;
const READ_ERRNOS =
  'EIO EACCES EPERM EMFILE ENFILE ENOMEM ENAMETOOLONG ELOOP ESTALE ETXTBSY EBUSY EROFS ENXIO ENODEV EOVERFLOW ETIMEDOUT EAGAIN EINVAL ENOLINK EISDIR'.split(
    ' ',
  );
const PLACING = ['rename', 'write', 'fchmod', 'futimes', 'lutimes', 'symlink', 'mkdir'] as const;
const WRITE_ERRNOS = 'EIO EACCES EPERM ENAMETOOLONG ELOOP ESTALE ETXTBSY EBUSY EINVAL EEXIST'.split(' ');

interface ErrnoRow extends Row {
  readonly calls: readonly string[];
  readonly errnos: readonly string[];
}
const rowsOf = (calls: readonly string[], errnos: readonly string[], together: string): ErrnoRow[] => [
  { name: together, calls, errnos },
  ...calls.map((call) => ({ name: `${call}: every errno`, calls: [call], errnos })),
  ...calls.flatMap((call) =>
    errnos.map((errno) => ({ name: `${call}: ${errno}`, calls: [call], errnos: [errno], isPart: true })),
  ),
];

const oddName = (call: string, errno: string) => `odd-${call}-${errno}-`;
const pairs = ({ calls, errnos }: ErrnoRow) =>
  calls.flatMap((call) => errnos.map((errno) => ({ call, errno, name: oddName(call, errno) })));

/** A file, or what else the call is made for. */
function makeOdd(folder: string, row: ErrnoRow): void {
  for (const { call, name } of pairs(row)) {
    const at = join(folder, name);
    if (['readlink', 'symlink', 'lutimes'].includes(call)) symlinkSync('target', at);
    else if (call === 'readdir' || call === 'mkdir') {
      mkdirSync(at);
      writeFileSync(join(at, 'odd inside'), 'inside');
    } else writeFileSync(at, `content of ${name}`);
  }
  handOver(folder);
}

/** By the path of the file itself; by its bytes where it has no name yet. */
const ordersOf = (row: ErrnoRow): FaultOrder[] =>
  pairs(row).map(({ call, errno, name }) => ({
    calls: [call],
    path: `/data/(.*/)?${name}$`,
    ...(['write', 'fchmod', 'futimes'].includes(call) ? { marker: `content of ${name}` } : {}),
    errno,
  }));

async function namedIn(instance: Instance): Promise<string[]> {
  const text = JSON.stringify(await instance.status());
  return [...new Set(text.match(/odd-\w+-\w+-/g) ?? [])].sort();
}

async function saving(row: ErrnoRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const one = await withProject(world);
    await succeeds(one, 'save');
    const all = pairs(row).map(({ name }) => name);
    one.order(ordersOf(row));
    makeOdd(join(one.data, 'p'), row);
    changeGood(one.data);
    const { err } = await one.command('save');
    for (const path of ['p/zz new', 'q/new', 'p/aa new'])
      expect(await world.spaces.project.stat({ path }), `${path} is saved: ${err}`).not.toBe(null);
    const struck = new Set(one.struck.map((line) => /odd-\w+-\w+-/.exec(line)?.[0]));
    const missing: string[] = [];
    for (const name of all)
      if ((await world.spaces.project.stat({ path: `p/${name}` })) === null) missing.push(name);
    const named = await namedIn(one);
    expect(named, `all that stayed behind is named: ${err}`).toEqual(expect.arrayContaining(missing.sort()));
    expect(struck.size, 'faults were met').toBeGreaterThan(0);
    const drained = await one.command('drain');
    const still = named.length > 0;
    expect(drained.code, `a drain tells the truth: ${drained.err}`).toBe(still ? 3 : 0);
    one.order([]);
    await succeeds(one, 'drain', 'after the faults');
    await one.stop();
    const two = await opened(world, 'lab/bob');
    expect(goodOf(two.data)).toEqual(goodOf(one.data));
    for (const name of all)
      expect(await world.spaces.project.stat({ path: `p/${name}` }), name).not.toBe(null);
    await two.stop();
  });
}
attack(
  'errnos of the volume while saving',
  rowsOf(READING, READ_ERRNOS, 'every errno of every call, while saving'),
  saving,
);

async function restoring(row: ErrnoRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const one = await withProject(world);
    makeOdd(join(one.data, 'p'), row);
    const all = pairs(row).map(({ name }) => name);
    await succeeds(one, 'drain');
    await one.stop();
    const two = await world.instance('lab/bob');
    two.order(ordersOf(row));
    two.launch();
    // A folder that cannot be made takes what is in it along.
    await two.readyWithout(all.length * 2);
    expect(goodOf(two.data), 'all others come back').toEqual(goodOf(one.data));
    expectSource(two);
    expect(two.struck.length, 'faults were met').toBeGreaterThan(0);
    two.order([]);
    const drained = await two.command('drain');
    expect([0, 3], drained.err).toContain(drained.code);
    await two.stop();
    const three = await opened(world, 'lab/carol');
    for (const name of all)
      expect(
        await world.spaces.project.stat({ path: `p/${name}` }),
        `${name} is still in the space`,
      ).not.toBe(null);
    await three.stop();
  });
}
const NO_ROOM: ErrnoRow = {
  name: 'no room, no descriptor or a read-only disk for one entry alone',
  calls: ['rename', 'write', 'mkdir'],
  errnos: ['ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE'],
};
attack(
  'errnos of the volume while restoring',
  [...rowsOf(PLACING, WRITE_ERRNOS, 'every errno of every call, while restoring'), NO_ROOM],
  restoring,
);

async function staging(row: ErrnoRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    for (const { name } of pairs(row))
      await world.spaces.source.write(`n/${name}`, {
        size: Buffer.byteLength(`content of ${name}`),
        open: async function* () {
          yield Buffer.from(`content of ${name}`);
        },
      });
    const one = await world.instance();
    one.order(ordersOf(row));
    one.launch();
    await one.ready();
    expectSource(one);
    const struck = one.struck.map((line) => /odd-\w+-\w+-/.exec(line)?.[0] ?? '');
    expect(struck.length, 'faults were met').toBeGreaterThan(0);
    one.order([]);
    await succeeds(one, 'refresh', 'after the faults');
    await one.stop();
  });
}
const PLACING_FILES = PLACING.filter((call) => !['symlink', 'mkdir', 'lutimes'].includes(call));
attack(
  'errnos of the volume while staging in',
  rowsOf(PLACING_FILES, WRITE_ERRNOS, 'every errno of every call, while staging in'),
  staging,
);
