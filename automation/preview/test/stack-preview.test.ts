import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { ProgramWorkers } from '../../recording/index.ts';
import { placeholdersFor } from '../placeholders.ts';
import { diffTexts, previewStack } from '../stack-preview.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const base = mkdtempSync(join(tmpdir(), 'preview-base-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test('a token that is needed and not given gets a dummy, and nothing else is made up', () => {
  const given = { 'scipion:onedataHost': 'a.example', 'scipion:projectToken': 'x' };
  expect(placeholdersFor(given)).toEqual({ 'scipion:sourceToken': 'placeholder-sourceToken' });
  expect(placeholdersFor({ 'scipion:onedataSecret': 'mine' })).toEqual({});
  expect(Object.keys(placeholdersFor({ 'scipion:sourceMount': 'claim/raw' }))).toEqual([
    'scipion:projectToken',
  ]);
});

test('the demo stack is previewed without any secret, and compared with its base', async () => {
  for (const part of [
    'Pulumi.yaml',
    'package.json',
    'index.ts',
    'components',
    'stacks',
    'sidecar/contract',
  ]) {
    cpSync(join(root, part), join(base, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(base, 'node_modules'));
  await using workers = new ProgramWorkers();
  const same = await previewStack('demo', root, base, { workers });
  expect(same).toMatchObject({ stack: 'demo', state: 'unchanged', text: '' });
  expect(same.placeholders).toEqual(expect.arrayContaining(['scipion:sourceToken', 'scipion:projectToken']));

  const file = join(base, 'stacks', 'Pulumi.demo.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('memory: 3Gi', 'memory: 2Gi'));
  const changed = await previewStack('demo', root, base, { workers });
  expect(changed.state).toBe('changed');
  expect(changed.text).toMatch(/^-\s+memory: /m);
  expect(changed.meaning).toEqual([
    'takes effect at the next start of the pod, the session continues until then: CPUs, memory or scratch',
    'changes in place, without a restart: the quota of the namespace',
  ]);
  expect(changed.text).not.toContain('placeholder-');
});

test('a stack whose configuration is wrong fails with its own words', async () => {
  const file = join(base, 'stacks', 'Pulumi.demo.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('memory: 2Gi', 'memory: a lot'));
  const failed = await previewStack('demo', base, undefined);
  expect(failed.state).toBe('failed');
  expect(failed.text).toContain('scipion:memory');
});

test('a stack that lacks a required key fails, in place of an example for it', async () => {
  const file = join(base, 'stacks', 'Pulumi.jane.yaml');
  writeFileSync(file, 'config:\n  scipion:sourceSpaceId: raw\n');
  const failed = await previewStack('jane', base, undefined);
  expect(failed).toMatchObject({
    state: 'failed',
    placeholders: ['scipion:sourceToken', 'scipion:projectToken'],
  });
  expect(failed.text).toContain('scipion:projectSpaceId: found nothing; allowed: the id of a space');
  expect(failed.text).not.toContain('scipion:sourceToken');
});

test('a stack whose base cannot be read is not called new: it says why', async () => {
  const broken = mkdtempSync(join(tmpdir(), 'preview-broken-'));
  try {
    const missing = await previewStack('demo', root, broken);
    expect(missing.state).toBe('uncompared');
    expect(missing.baseErrors).toContain('Found no Pulumi.yaml; expected a checkout of the repository');
    cpSync(join(root, 'stacks'), join(broken, 'stacks'), { recursive: true });
    writeFileSync(join(broken, 'Pulumi.yaml'), 'name: [');
    const unreadable = await previewStack('demo', root, broken);
    expect(unreadable.state).toBe('uncompared');
    expect(unreadable.baseErrors).toContain('Pulumi.yaml is not valid YAML');
    expect(unreadable.text).toContain('kind: StatefulSet');
  } finally {
    rmSync(broken, { recursive: true });
  }
});

const BOMB = ['a: &a0 [x, x]', ...Array.from({ length: 40 }, (_, i) => `a${i}: &a${i + 1} [*a${i}, *a${i}]`)];

test.each<[string, string | Buffer, RegExp]>([
  ['is not YAML', 'config: {', /Pulumi\.odd\.yaml is not valid YAML/],
  ['is not UTF-8', Buffer.from('config: {}\n# \xe9', 'latin1'), /Pulumi\.odd\.yaml .*not UTF-8/],
  [
    'is a bomb of aliases',
    `config:\n${BOMB.map((line) => `  ${line}\n`).join('')}`,
    /Pulumi\.odd\.yaml .*alias/i,
  ],
  ['contains itself', 'config:\n  scipion:memory: &a [*a]\n', /Pulumi\.odd\.yaml: Maximum call stack/],
  ['nests without end', `config: ${'['.repeat(20_000)}`, /Pulumi\.odd\.yaml/],
  ['is too large', `# ${'x'.repeat(2 ** 20)}`, /Pulumi\.odd\.yaml: found 1048578 bytes; expected 1048576/],
])('a stack file that %s fails alone', async (_what, content, words) => {
  const file = join(base, 'stacks', 'Pulumi.odd.yaml');
  writeFileSync(file, content);
  const failed = await previewStack('odd', base, undefined);
  unlinkSync(file);
  expect(failed).toMatchObject({ stack: 'odd', state: 'failed' });
  expect(failed.text).toMatch(words);
});

test.each([
  ['/etc/passwd', 'found a link out of the repository; expected a file'],
  ['Pulumi.nobody.yaml', 'cannot be read: found ENOENT'],
  ['../stacks', 'cannot be read: EISDIR'],
])('a stack file that is a link to %s fails alone', async (target, words) => {
  const file = join(base, 'stacks', 'Pulumi.odd.yaml');
  symlinkSync(target, file);
  const failed = await previewStack('odd', base, undefined);
  unlinkSync(file);
  expect(failed.state).toBe('failed');
  expect(failed.text).toContain(words);
});

test.each(['for (;;) {}', 'setInterval(() => {}, 1000); await new Promise(() => {});'])(
  'a program that does not end is stopped: %s',
  async (program) => {
    cpSync(join(root, 'stacks', 'Pulumi.demo.yaml'), join(base, 'stacks', 'Pulumi.demo.yaml'));
    writeFileSync(
      join(base, 'index.ts'),
      `import { writeFileSync } from 'node:fs';
writeFileSync('pid', String(process.pid));
${program}
`,
    );
    const failed = await previewStack('demo', base, undefined, { limit: 8000 });
    expect(failed.state).toBe('failed');
    expect(failed.text).toContain(
      'stacks/Pulumi.demo.yaml: the program was stopped. Found: no end within 8 s.',
    );
    const pid = Number(readFileSync(join(base, 'pid'), 'utf8'));
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  },
);

test('a diff names no temporary file', async () => {
  expect(await diffTexts('a: 1\n', 'a: 1\n')).toBe('');
  expect(await diffTexts('a: 1\nb: 2\n', 'a: 1\nb: 3\n')).toBe('@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n');
});
