import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loadConfig, SECRET_PLACEHOLDER } from '../../automation/recording/config.ts';
import { reveal, runProgram, Secret } from '../../automation/recording/index.ts';
import { programDirectory } from './programs.ts';

/** `programs/declared/Pulumi.sealed.yaml` was written by Pulumi's own CLI with this passphrase. */
const PASSPHRASE = 'open-sesame';
const sealed = {
  directory: programDirectory('declared'),
  stack: 'sealed',
  config: {},
  secretConfig: {},
  stackFile: true,
  undecryptable: 'error',
} as const;

afterEach(() => {
  delete process.env.PULUMI_CONFIG_PASSPHRASE;
});

test('secrets that Pulumi encrypted with a passphrase reach a program under ts-node, also inside a structure', async () => {
  process.env.PULUMI_CONFIG_PASSPHRASE = PASSPHRASE;
  const run = await runProgram({ directory: sealed.directory, stack: 'sealed' });
  expect(run.errors).toEqual([]);
  expect(run.outputs.site).toBe('example.org');
  expect(run.outputs.token).toBeInstanceOf(Secret);
  expect(reveal(run.outputs.token ?? null)).toBe('token of the fixture');
  const settings = await loadConfig(sealed);
  expect(JSON.parse(settings.config['declared:sizes'] ?? '')).toEqual({ small: 1, large: '3' });
  expect(settings.secretKeys.toSorted()).toEqual(['declared:sizes', 'declared:token']);
});

test.each(['010', '12345678901234567890', '1_000', '0b11', '-007'])(
  '%s without quotes is refused, since Pulumi reads it otherwise, and taken with them',
  async (text) => {
    const directory = mkdtempSync(join(tmpdir(), 'config-'));
    writeFileSync(join(directory, 'Pulumi.yaml'), 'name: numbers\nruntime: nodejs\n');
    const read = (value: string) => {
      writeFileSync(
        join(directory, 'Pulumi.one.yaml'),
        `config:\n  numbers:id: ${value}\n  <<: {numbers:more: 7}\n`,
      );
      return loadConfig({ ...sealed, directory, stack: 'one' });
    };
    await expect(read(text)).rejects.toThrow(
      `found ${text}, which is a number that is read in more than one way`,
    );
    expect((await read(`"${text}"`)).config).toEqual({ 'numbers:id': text, 'numbers:more': '7' });
    rmSync(directory, { recursive: true });
  },
);

test('without the passphrase they are refused, or placeholders where that is enough', async () => {
  await expect(loadConfig(sealed)).rejects.toThrow(
    /declared:token in .*Pulumi\.sealed\.yaml is encrypted .*PULUMI_CONFIG_PASSPHRASE_FILE/,
  );
  const settings = await loadConfig({ ...sealed, undecryptable: 'placeholder' });
  expect(settings.config['declared:token']).toBe(SECRET_PLACEHOLDER);
  expect(settings.secretKeys).toContain('declared:token');
});

test('a wrong passphrase is told apart from a missing one', async () => {
  process.env.PULUMI_CONFIG_PASSPHRASE = 'wrong';
  await expect(loadConfig(sealed)).rejects.toThrow(/PULUMI_CONFIG_PASSPHRASE does not open its secrets/);
});

test('later sources win: defaults, the stack file, given values, given secrets', async () => {
  const settings = await loadConfig({
    ...sealed,
    undecryptable: 'placeholder',
    config: { site: 'given.example.org', sizes: { small: 9 }, 'other:flag': true },
    secretConfig: { token: 'given' },
  });
  expect(settings.config).toEqual({
    'declared:site': 'given.example.org',
    'declared:sizes': '{"small":9}',
    'declared:token': 'given',
    'other:flag': 'true',
  });
  expect(settings.secretKeys).toEqual(['declared:token']);
});
