import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import type { Locator, SpaceEntry } from '../../src/spaces/space.ts';
import { Lease, LeaseHeldError, LeaseLostError, readLease } from '../../src/sync/save/lease.ts';
import { LAYOUT } from '../../src/sync/save/space-layout.ts';
import { SmallVolumes } from './small-volumes.ts';
import { Folders, TestClock } from './world.ts';

/** The lease in a mounted space that takes no new file and no new folder, and of two that ask for it at one instant. */

const folders = new Folders();
const volumes = new SmallVolumes(folders);
afterEach(() => {
  volumes.unmountAll();
  folders.clear();
});
afterAll(() => volumes.unmountAll());

/** Both look at the place of the number before either moves there. */
class Racing extends DirectorySpace {
  readonly #meet: () => Promise<void>;
  #target: string | null = null;
  constructor(root: string, meet: () => Promise<void>) {
    super(root);
    this.#meet = meet;
  }
  override async move(...args: Parameters<DirectorySpace['move']>): Promise<void> {
    this.#target = args[0].kind === 'directory' ? args[1] : null;
    await super.move(...args);
    this.#target = null;
  }
  override async stat(entry: Locator): Promise<SpaceEntry | null> {
    const found = await super.stat(entry);
    if (entry.path === this.#target) await this.#meet();
    return found;
  }
}

function meeting(of: number): () => Promise<void> {
  let met: () => void = () => undefined;
  const all = new Promise<void>((done) => {
    met = done;
  });
  let here = 0;
  return () => {
    here += 1;
    if (here >= of) met();
    return all;
  };
}

test('of two that look at the same instant, and both see the number free, one gets it', async () => {
  const root = folders.make();
  const meet = meeting(2);
  const leases = ['lab/alice', 'lab/bob'].map(
    (holder) => new Lease(new Racing(root, meet), { holder, clock: new TestClock() }),
  );
  const outcomes = await Promise.allSettled(leases.map((lease) => lease.acquire([])));
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LeaseHeldError);
  // And it is the one that believes so.
  for (const lease of leases) if (lease.held) await lease.assertHeld();
});

describe.skipIf(!volumes.canMount)('a mounted space without a free inode', () => {
  async function full() {
    const root = folders.make();
    volumes.mount(root, 4 << 20, 120);
    const space = new DirectorySpace(root);
    const clock = new TestClock();
    const lease = (holder: string) => new Lease(space, { holder, clock });
    const fill = () => {
      mkdirSync(join(root, 'full'), { recursive: true });
      try {
        for (let n = 0; ; n += 1) writeFileSync(join(root, `full/${n}`), '');
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      }
    };
    return { root, space, clock, lease, fill };
  }

  test('a run after a kill gets its lease at once, and lives', async () => {
    const { root, clock, lease, fill, space } = await full();
    const first = lease('lab/alice');
    await first.acquire([]);
    fill();
    const second = lease('lab/alice');
    expect((await second.acquire([first.session])).fence).toBe(2);
    await expect(first.assertHeld()).rejects.toThrow(LeaseLostError);
    // The next one too, although no lease file names the one before.
    const third = lease('lab/alice');
    expect((await third.acquire([first.session, second.session])).fence).toBe(3);
    // Its heartbeats are seen, and another of the same name on a copied volume does not take it.
    for (let round = 0; round < 20; round += 1) {
      await third.heartbeat();
      await third.assertFresh();
      await expect(lease('lab/bob').acquire([third.session])).rejects.toThrow(LeaseHeldError);
      clock.advance(30_000);
    }
    expect(readdirSync(join(root, LAYOUT.fences))).toEqual(['3']);
    expect((await readLease(space))?.record?.fence).toBe(1);
  });

  test('a lease that was given back is not that of the next holder, who has no room to write so', async () => {
    const { clock, lease, fill } = await full();
    const first = lease('lab/alice');
    await first.acquire([]);
    await first.release();
    fill();
    const second = lease('lab/alice');
    await second.acquire([first.session]);
    await expect(lease('lab/bob').acquire([])).rejects.toThrow('has no room');
    clock.advance(10_000);
    await second.assertHeld();
  });

  test('one that is over is taken by somebody else, and its holder finds out', async () => {
    const { clock, lease, fill } = await full();
    const first = lease('lab/alice');
    await first.acquire([]);
    fill();
    const bob = lease('lab/bob');
    await expect(bob.acquire([])).rejects.toThrow('in use by lab/alice');
    clock.advance(200_000);
    await bob.acquire([]);
    await expect(first.heartbeat()).rejects.toThrow(LeaseLostError);
    // Nor does the next run of the first take it back, by a lease file that still names it.
    const again = lease('lab/alice');
    for (let round = 0; round < 10; round += 1) {
      await bob.heartbeat();
      await expect(again.acquire([first.session])).rejects.toThrow(LeaseHeldError);
      clock.advance(30_000);
    }
  });

  test('the number of an older program, whose folder is empty, is passed on all the same', async () => {
    const { root, lease, fill } = await full();
    const first = lease('lab/alice');
    await first.acquire([]);
    await lease('lab/alice').acquire([first.session]);
    for (const name of readdirSync(join(root, LAYOUT.fences, '2')))
      await new DirectorySpace(root).removeTree(`${LAYOUT.fences}/2/${name}`);
    fill();
    const third = lease('lab/alice');
    expect((await third.acquire([first.session], true)).fence).toBe(3);
    await third.heartbeat();
    await third.assertHeld();
    expect(readdirSync(join(root, LAYOUT.fences, '3'))).toHaveLength(1);
  });

  test('two that want the only number: one gets it', async () => {
    const { root, clock, lease, fill } = await full();
    await lease('lab/alice').acquire([]);
    fill();
    const meet = meeting(2);
    const both = ['lab/bob', 'lab/carol'].map(
      (holder) => new Lease(new Racing(root, meet), { holder, clock }),
    );
    const outcomes = await Promise.allSettled(both.map((each) => each.acquire([], true)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    for (const each of both) if (each.held) await each.assertHeld();
  });
});
