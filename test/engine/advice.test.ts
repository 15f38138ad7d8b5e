import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { adviceFor } from '../../automation/engine/index.ts';
import { ROOT } from '../../local/cli/machine.ts';

/** What `npm run pulumi` says after Pulumi's own words on a state that it cannot use; the commands in it are run. */

const place = mkdtempSync(join(tmpdir(), 'advice-'));
const state = join(place, 'state', 'stacks');
const env = { SCIPION_LOCAL_STATE: join(place, 'state') };
mkdirSync(join(place, 'project'));
writeFileSync(join(place, 'project', 'Pulumi.yaml'), 'name: small\nruntime: nodejs\n');
afterAll(() => rmSync(place, { recursive: true, force: true }));

const pulumi = (...args: string[]) =>
  execa(process.execPath, ['local/cli/pulumi.ts', '-C', join(place, 'project'), ...args], {
    cwd: ROOT,
    env,
    reject: false,
  });

test('a state that is damaged, of a newer Pulumi or locked, and a wrong passphrase', async () => {
  await pulumi('stack', 'init', 'jane');
  await pulumi('config', 'set', 'small:a', 'b', '--secret', '--stack', 'jane');
  const folder = join(state, '.pulumi', 'stacks', 'small');
  const file = join(folder, 'jane.json');
  const whole = readFileSync(file, 'utf8');

  writeFileSync(`${file}.bak`, whole);
  writeFileSync(file, whole.slice(0, 40));
  const cut = (await pulumi('stack', 'export', '--stack', 'jane')).stderr;
  expect(cut).toContain(`The state of stack jane (${file}) cannot be read: it is cut or damaged.`);
  const [, command = ''] = /whole: (.*), then npm run pulumi -- refresh --stack jane/.exec(cut) ?? [];
  await execa('sh', ['-c', command]);
  expect(await pulumi('stack', 'export', '--stack', 'jane')).toMatchObject({ exitCode: 0, stderr: '' });

  const newer = { ...JSON.parse(whole), version: 4, features: ['timetravel'] };
  writeFileSync(file, JSON.stringify(newer));
  const { stderr } = await pulumi('stack', 'export', '--stack', 'jane');
  expect(stderr).toContain('features: timetravel');
  expect(stderr).toContain(`The state in ${state} was written by a newer Pulumi than 3.`);
  writeFileSync(file, whole);

  const lock = join(state, '.pulumi', 'locks', 'organization', 'small', 'jane');
  mkdirSync(lock, { recursive: true });
  writeFileSync(
    join(lock, 'a.json'),
    JSON.stringify({ pid: 1, username: 'j', hostname: 'h', timestamp: new Date() }),
  );
  const locked = await pulumi('refresh', '--yes', '--stack', 'jane');
  expect(locked.stderr).toContain('npm run pulumi -- cancel --yes --stack jane');
  rmSync(lock, { recursive: true });

  const passphrase = join(state, 'passphrase');
  writeFileSync(passphrase, 'wrong');
  chmodSync(passphrase, 0o644);
  const wrong = await pulumi('config', '--show-secrets', '--stack', 'jane');
  expect(wrong.stderr).toContain(`The passphrase in ${passphrase} is not the one`);
  expect(statSync(passphrase).mode & 0o777).toBe(0o600);
});

test('a secret of the settings that is damaged is named, and set again by the command that is told', async () => {
  await pulumi('stack', 'init', 'eve');
  for (const key of ['good', 'bad'])
    await pulumi('config', 'set', `small:${key}`, 'b', '--secret', '--stack', 'eve');
  const file = join(place, 'project', 'Pulumi.eve.yaml');
  const text = readFileSync(file, 'utf8');
  const flipped = (found: string) => (found === 'A' ? 'B' : 'A');
  writeFileSync(file, text.replace(/(?<=small:bad:\s+secure: v1:)\w/, flipped));
  const { stderr } = await pulumi('preview', '--stack', 'eve');
  expect(stderr).toContain('Secrets in the settings of stack eve are damaged: small:bad. Set');
  expect(stderr).not.toContain('passphrase');
  const [, command = ''] = /Set them again: npm run pulumi -- (.*)/.exec(stderr) ?? [];
  await pulumi(...command.split(' '), 'again');
  expect((await pulumi('config', 'get', 'small:bad', '--stack', 'eve')).stdout).toBe('again');
});

test.each([
  'error: could not decrypt configuration values: bad value',
  'error: could not decrypt configuration value: : cipher: message authentication failed',
  'error: validating stack config: illegal base64 data at input byte 4',
])('where nobody has looked which it is, it is told how to see it: %s', (said) => {
  const words = adviceFor(said, {
    ...{ stack: 'jane', cli: 'pulumi', passphraseFile: 'p', stateDirectory: 's', engineVersion: '3.0.0' },
  });
  expect(words).toContain('one for which pulumi config get KEY --stack jane fails');
  expect(words).toContain('pulumi config set --secret KEY --stack jane');
});
