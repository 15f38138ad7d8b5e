import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StandInOptions } from '../../../local/onedata/configuration.ts';
import { type StandIn, startStandIn } from '../../../local/onedata/stand-in.ts';
import { type OnedataSpaceOptions, openOnedataSpace } from '../../src/onedata/onedata-space.ts';
import type { Space } from '../../src/sync/spaces/space.ts';

export interface GivenStandIn {
  readonly standIn: StandIn;
  /** A new empty space, its id. */
  addSpace(): Promise<string>;
  open(spaceId: string, options?: Partial<OnedataSpaceOptions>): Space;
  dispose(): Promise<void>;
}

/** A stand-in on a free port of loopback, with TLS, its data in a directory of its own. */
export async function givenStandIn(options: Partial<StandInOptions> = {}): Promise<GivenStandIn> {
  const directory = await mkdtemp(join(tmpdir(), 'onedata-'));
  const standIn = await startStandIn({ dataDirectory: directory, listen: { port: 0 }, ...options });
  let count = 0;
  return {
    standIn,
    addSpace: async () => {
      const id = `space-${++count}`;
      await standIn.addSpace({ id, name: `Lab ${count}`, supported: true });
      return id;
    },
    open: (spaceId, given = {}) => {
      const { token } = standIn.mint();
      return openOnedataSpace({
        host: standIn.providerHost,
        spaceId,
        token: async () => token,
        certificateAuthorities: standIn.authorityPem,
        stallTimeoutMs: 10_000,
        ...given,
      });
    },
    dispose: async () => {
      await standIn.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
