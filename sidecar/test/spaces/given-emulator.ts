import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorOptions } from '../../../emulators/onedata/configuration.ts';
import type { Emulator } from '../../../emulators/onedata/context.ts';
import { startEmulator } from '../../../emulators/onedata/emulator.ts';
import { type OnedataSpaceOptions, openOnedataSpace } from '../../src/spaces/onedata/onedata-space.ts';
import type { Space } from '../../src/spaces/space.ts';

export interface GivenEmulator {
  readonly emulator: Emulator;
  /** A new empty space, its id. */
  addSpace(): Promise<string>;
  open(spaceId: string, options?: Partial<OnedataSpaceOptions>): Space;
  dispose(): Promise<void>;
}

/** An emulator on a free port of loopback, with TLS, its data in a directory of its own. */
export async function givenEmulator(options: Partial<EmulatorOptions> = {}): Promise<GivenEmulator> {
  const directory = await mkdtemp(join(tmpdir(), 'onedata-'));
  const emulator = await startEmulator({ dataDirectory: directory, listen: { port: 0 }, ...options });
  let count = 0;
  return {
    emulator,
    addSpace: async () => {
      const id = `space-${++count}`;
      await emulator.addSpace({ id, name: `Lab ${count}`, supported: true });
      return id;
    },
    open: (spaceId, given = {}) => {
      const { token } = emulator.mint();
      return openOnedataSpace({
        host: emulator.providerHost,
        spaceId,
        token: async () => token,
        certificateAuthorities: emulator.authorityPem,
        stallTimeoutMs: 10_000,
        ...given,
      });
    },
    dispose: async () => {
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
