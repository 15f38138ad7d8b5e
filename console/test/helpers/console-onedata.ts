import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ask } from '../../../components/onedata-request.ts';
import { askJson } from '../../../components/onedata-request.ts';
import { pathCaveat, startEmulator } from '../../../emulators/onedata/index.ts';

/** Onedata with a space `raw-id` called Microscope and one `work-id` called Projects, for the forms of a console. */
export interface ConsoleOnedata {
  /** Of the source to read, of the project, and of everything. */
  readonly tokens: { readonly source: string; readonly project: string; readonly all: string };
  /** Asks its hosts, which listen on a port of their own. */
  readonly ask: Ask;
  close(): Promise<void>;
}

export async function startConsoleOnedata(): Promise<ConsoleOnedata> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'console-onedata-'));
  const emulator = await startEmulator({
    dataDirectory,
    listen: { port: 0 },
    spaces: [
      { id: 'raw-id', name: 'Microscope' },
      { id: 'work-id', name: 'Projects' },
    ],
  });
  const port = emulator.providerHost.split(':')[1];
  return {
    tokens: {
      source: emulator.mint({ caveats: [{ type: 'data.readonly' }, pathCaveat(['raw-id'])] }).token,
      project: emulator.mint({ caveats: [pathCaveat(['work-id'])] }).token,
      all: emulator.mint().token,
    },
    ask: (request) =>
      askJson({
        ...request,
        host: `${request.host}:${port}`,
        certificateAuthorities: emulator.authorityPem,
      }),
    async close() {
      await emulator.close();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
