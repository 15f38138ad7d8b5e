import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureEngine, openProject, stateEnvironment } from '../../automation/engine/index.ts';
import { ROOT } from '../../local/cli/machine.ts';

/** `npm run local -- down --purge` beside stacks of its user, in a folder of local state without a cluster. */

const engine = await ensureEngine(() => {});
const TOKEN = 'canary-token-5c1e9';

let place: string;
let state: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'purge-'));
  state = join(place, 'state');
  for (const folder of ['cluster', 'console', 'stacks']) mkdirSync(join(state, folder), { recursive: true });
  writeFileSync(join(state, 'instance.json'), JSON.stringify({ context: null, overrides: {} }));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** Stacks of this program, with their files in this folder. */
async function stacksIn(directory: string, project = 'scipion') {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'Pulumi.yaml'), `name: ${project}\nruntime: nodejs\n`);
  const environment = await stateEnvironment(engine, join(state, 'stacks'));
  return openProject(engine, { directory, environment, cli: 'npm run pulumi --' });
}

async function purge(): Promise<string> {
  const args = ['local/cli/main.ts', 'down', '--purge'];
  const { stdout } = await execa(process.execPath, args, { cwd: ROOT, env: { SCIPION_LOCAL_STATE: state } });
  return stdout;
}

test("a user's stacks keep state and secrets; what was made here goes", async () => {
  const beside = await stacksIn(join(state, 'stacks'));
  for (const name of ['demo', 'of-the-console']) await beside.create(name);
  const own = await stacksIn(join(place, 'repository'));
  await own.create('alice');
  await own.set('alice', { secret: { 'scipion:sourceToken': TOKEN } });
  await (await stacksIn(join(place, 'another'), 'another')).create('demo');

  const said = await purge();
  expect(said).toMatch(/^Kept: the state of (demo, alice|alice, demo) in \S+stacks, with its passphrase/m);
  expect((await own.list()).map(({ name }) => name)).toEqual(['alice']);
  const { stdout } = await execa(
    engine.command,
    ['config', 'get', 'scipion:sourceToken', '--stack', 'alice'],
    { cwd: join(place, 'repository'), env: await stateEnvironment(engine, join(state, 'stacks')) },
  );
  expect(stdout).toBe(TOKEN);
  expect(readdirSync(state)).toEqual(['stacks']);
  expect(readdirSync(join(state, 'stacks')).toSorted()).toEqual(['.pulumi', 'passphrase']);
});

test('where there are none, the folder is gone with its passphrase', async () => {
  const beside = await stacksIn(join(state, 'stacks'));
  for (const name of ['demo', 'of-the-console']) await beside.create(name);
  expect(await purge()).not.toContain('Kept');
  expect(existsSync(state)).toBe(false);
});

test('a stack that its user called demo is none of ours', async () => {
  rmSync(join(state, 'instance.json'));
  const own = await stacksIn(join(place, 'repository'));
  await own.create('demo');
  const file = join(state, 'stacks', '.pulumi', 'stacks', 'scipion', 'demo.json');
  const resources = [{ urn: 'urn:pulumi:demo::scipion::pulumi:pulumi:Stack::scipion-demo', type: 'x' }];
  writeFileSync(file, JSON.stringify({ version: 3, checkpoint: { latest: { resources } } }));
  expect(await purge()).toContain('Kept: the state of demo in');
  expect(existsSync(file)).toBe(true);
});
