import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathCaveat } from '../../../emulators/onedata/access.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

const MAIN = fileURLToPath(new URL('../provider-check/main.ts', import.meta.url));
let given: GivenEmulator;
let directory: string;
let spaceId: string;
let token: string;
beforeAll(async () => {
  given = await givenEmulator();
  directory = await mkdtemp(join(tmpdir(), 'provider-check-'));
  spaceId = await given.addSpace();
  token = given.emulator.mint({ caveats: [pathCaveat([spaceId])] }).token;
  await writeFile(join(directory, 'token'), token, { mode: 0o600 });
});
afterAll(async () => {
  await given.dispose();
  await rm(directory, { recursive: true, force: true });
});

const run = (args: readonly string[], input = '') =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, '--host', given.emulator.providerHost, '--ca-file', given.emulator.authorityFile, ...args],
      { timeout: 150_000 },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), output: `${stdout}${stderr}` }),
    );
    child.stdin?.end(input);
  });
const left = () => given.emulator.context.spaces.tree.children(`space_${spaceId}`, '', 10);

test('the emulator keeps the contract; the scratch folder goes, the token shows nowhere', async () => {
  const { code, output } = await run(['--space', spaceId, '--token-file', join(directory, 'token')]);
  expect(output).toContain('The provider keeps the contract.');
  expect(output).toContain('The scratch folder is removed.');
  expect(output).toMatch(/Tests .*2\d passed/);
  expect(output).not.toContain(token.slice(0, 40));
  expect(code).toBe(0);
  expect(left()).toEqual([]);
}, 160_000);

test('a provider that breaks it is told so, and left clean', async () => {
  given.emulator.context.faults.add({
    method: 'PUT',
    path: '/cdmi/',
    action: { kind: 'error', status: 501, id: 'notImplemented' },
  });
  const { code, output } = await run(['--space', spaceId], token);
  given.emulator.context.faults.clear();
  expect(output).toContain('The provider does not keep the contract');
  expect(code).toBe(1);
  expect(left()).toEqual([]);
}, 160_000);

test('bad input is a sentence, before anything is made', async () => {
  const asArgument = await run(['--space', spaceId, '--token', token]);
  expect(asArgument).toEqual({ code: 1, output: expect.stringContaining('can be read by everyone') });
  const byName = await run(['--space', 'Lab 1', '--token-file', join(directory, 'token')]);
  expect(byName).toEqual({ code: 1, output: expect.stringContaining(`its id is ${spaceId}`) });
  const noFile = await run(['--space', spaceId, '--token-file', join(directory, 'absent')]);
  expect(noFile).toEqual({ code: 1, output: expect.stringContaining('ENOENT') });
  for (const { output } of [asArgument, byName, noFile]) expect(output).not.toMatch(/\n\s+at /);
  expect(left()).toEqual([]);
});
