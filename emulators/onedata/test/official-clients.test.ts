import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rootUuid } from '../store/file-tree.ts';
import type { Caveat } from '../tokens.ts';
import { Given } from './given.ts';
import { pythonWith } from './official/python.ts';

const here = (name: string) => fileURLToPath(new URL(`official/${name}`, import.meta.url));
const PAGES = { path: 'many', count: 2350 };

describe.each(['21.02.8', '21.02.4'] as const)(
  'official clients, unmodified, at a provider %s',
  (version) => {
    let given: Given;
    let directory: string;
    let python: string | null;
    let reason = '';

    beforeAll(async () => {
      const found = await pythonWith(here('requirements.txt'));
      python = found.python;
      if (found.python === null) {
        reason = found.reason;
        process.stderr.write(`official clients of Onedata are not run: ${reason}\n`);
        return;
      }
      directory = await mkdtemp(join(tmpdir(), 'onedata-clients-'));
      // Two names that every resolver knows, so that nothing of Python has to be changed.
      given = await Given.start({ zoneHost: 'localhost', providerHost: '127.0.0.1', version });
      const { tree } = given.emulator.context.spaces;
      tree.atomically(() => {
        const root = tree.byUuid(rootUuid('sp1'));
        const many = root && tree.create(root, PAGES.path, { type: 'DIR', mode: 0o775 });
        for (let index = 0; many && index < PAGES.count; index++)
          tree.create(many, `file-${String(index).padStart(5, '0')}`, { type: 'REG', mode: 0o664 });
      });
      await writeFile(join(directory, 'case.json'), JSON.stringify(await describeCase(given, directory)));
    }, 300_000);
    afterAll(async () => {
      await given?.dispose();
      if (directory) await rm(directory, { recursive: true, force: true });
    });

    test.for([
      ['onedatafilerestclient', 'FileRestClient', 5],
      ['fs.onedatarestfs', 'FileSystem', 2],
      ['onedatarestfsspec', 'FsSpec', 1],
      ['pymacaroons', 'Macaroons', 1],
    ] as const)('%s', async ([_name, suite, count], { skip }) => {
      if (python === null) return skip(reason);
      const { stderr } = await promisify(execFile)(python, ['-W', 'ignore', here('clients.py'), suite], {
        env: { PATH: process.env.PATH, ONEDATA_CASE: join(directory, 'case.json') },
        timeout: 50_000,
      }).catch((error: { stderr?: string; message: string }) => {
        throw new Error(error.stderr || error.message);
      });
      expect(stderr).toMatch(new RegExp(`Ran ${count} tests? in [^]*\nOK`));
    });
  },
);

/** Writes the tokens beside it; they go by the names of their files. */
async function describeCase(given: Given, directory: string): Promise<object> {
  const caveats: Record<string, Caveat[]> = {
    all: [],
    readonly: [{ type: 'data.readonly' }],
    expired: [{ type: 'time', validUntil: 1_700_000_000 }],
  };
  const tokens: Record<string, string> = {};
  for (const [name, list] of Object.entries(caveats)) {
    tokens[name] = join(directory, name);
    await writeFile(tokens[name], given.mint(...list), { mode: 0o600 });
  }
  return {
    zone: given.emulator.zoneHost,
    zoneDomain: given.emulator.context.configuration.zoneHost,
    authority: given.emulator.authorityFile,
    space: { id: 'sp1', name: 'lab' },
    pages: PAGES,
    tokens,
  };
}
