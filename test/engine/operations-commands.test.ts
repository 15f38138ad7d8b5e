import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Engine, ensureEngine } from '../../automation/engine/index.ts';
import { COMMANDS, CONTAINERS, NAMES } from '../../components/names.ts';
import { SECRET_KEYS, SETTING_FIELDS } from '../../stacks/schema.ts';

/** Every command of docs/operations.md is one that exists, with the options that it names. */

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(join(root, 'docs/operations.md'), 'utf8');

const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, code = '']) => code.split('\n'));
const lines = [...spans, ...blocks].map((line) => line.replace(/\s+#.*$/, '').trim());
const commandsOf = (program: string) => [
  ...new Set(lines.filter((line) => line === program || line.startsWith(`${program} `))),
];

let engine: Engine;
beforeAll(async () => {
  engine = await ensureEngine(() => {});
});

test('there are commands of each kind', () => {
  for (const program of ['npm run', 'node', 'pulumi', 'kubectl', 'sed'])
    expect(commandsOf(program), program).not.toEqual([]);
});

const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as Record<
  string,
  string
>;
test.each(commandsOf('npm run'))('%s is a script', (command) => {
  expect(Object.keys(scripts)).toContain(command.split(' ')[2]);
});

test.each(commandsOf('node'))('%s is a file with these options', async (command) => {
  const [, file = '', subcommand = '', ...rest] = command.split(' ');
  expect(existsSync(join(root, file))).toBe(true);
  const { stdout } = await execa(process.execPath, [file, subcommand, '--help'], { cwd: root });
  for (const option of rest.filter((word) => word.startsWith('--'))) expect(stdout).toContain(option);
});

describe('Pulumi', () => {
  test.each(commandsOf('pulumi').filter((command) => command !== 'pulumi'))('%s', async (command) => {
    const words = command.split(' ').slice(1);
    // Values come after the first word that is no part of a command's name.
    const count = words.findIndex((word) => !/^[a-z]+$/.test(word));
    const path = count < 0 ? words : words.slice(0, count);
    const { stdout } = await execa(engine.command, [...path, '--help'], {
      env: { PULUMI_HOME: engine.home, PULUMI_SKIP_UPDATE_CHECK: 'true' },
    });
    // Of a command that is not there the help of the one above is shown; an alias has another name in it.
    const last = path.at(-1) ?? '';
    const [, usage = ''] = /^Usage:\n {2}(.*)$/m.exec(stdout) ?? [];
    const [, aliases = ''] = /^Aliases:\n {2}(.*)$/m.exec(stdout) ?? [];
    expect([...usage.split(' '), ...aliases.split(', ')]).toContain(last);
    for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(option);
  });
});

test('every key of the configuration that is named exists', () => {
  const known = [...Object.keys(SETTING_FIELDS), ...Object.keys(SECRET_KEYS)];
  const named = [...text.matchAll(/scipion:([a-zA-Z]+)/g)].map(([, key = '']) => key);
  expect(named.filter((key) => !known.includes(key))).toEqual([]);
});

test('commands in the pod name its parts as they are', () => {
  for (const command of commandsOf('kubectl').filter((line) => line.includes(' exec '))) {
    expect(command).toContain(`exec ${NAMES.pod} --container ${CONTAINERS.sync} -- ${COMMANDS.sync} `);
  }
});

test('the Role for a namespace is what the command makes of its file', () => {
  const [command = ''] = commandsOf('sed');
  const [edit = ''] = command.split(' | ');
  const documents = parseAllDocuments(execFileSync('sh', ['-c', edit], { cwd: root, encoding: 'utf8' }));
  const objects = documents.map((document) => document.toJS() as { metadata: { namespace: string } });
  expect(objects.map(({ metadata }) => metadata.namespace)).toEqual(['jane', 'jane', 'jane']);
  expect(JSON.stringify(objects)).not.toContain('NAMESPACE');
});
