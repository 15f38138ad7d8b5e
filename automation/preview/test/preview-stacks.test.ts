import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { flagsOf, readFacts, type StackFacts } from '../flags.ts';
import { reportSchema } from '../report.ts';
import { gitIn } from './git-in.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

test('stacks that share a namespace or a project space are flagged, each with the others', () => {
  const facts = (stack: string, namespace: string, projectSpace?: string, discards = false) => ({
    stack,
    namespace,
    discards,
    unseen: {},
    ...(projectSpace === undefined ? {} : { projectSpace }),
  });
  const flags = flagsOf([
    facts('ada', 'ada', 's1'),
    facts('bob', 'ada', 's2'),
    facts('eve', 'eve', 's2', true),
    facts('jane', 'jane'),
    facts('june', 'june'),
  ]);
  expect(Object.fromEntries(flags)).toEqual({
    ada: [{ kind: 'namespace', with: ['bob'], more: 0 }],
    bob: [
      { kind: 'namespace', with: ['ada'], more: 0 },
      { kind: 'projectSpace', with: ['eve'], more: 0 },
    ],
    eve: [
      { kind: 'projectSpace', with: ['bob'], more: 0 },
      { kind: 'discards', with: [], more: 0 },
    ],
  });
  const crowd = flagsOf(Array.from({ length: 9 }, (_, number) => facts(`n${number}`, 'same')));
  expect(crowd.get('n0')).toMatchObject([
    { kind: 'namespace', with: ['n1', 'n2', 'n3', 'n4', 'n5'], more: 3 },
  ]);
});

test('what no manifest shows is flagged where it is not as it was, by name alone', () => {
  const facts = (stack: string, unseen: Record<string, string>): StackFacts => ({
    ...{ stack, namespace: stack, discards: false },
    unseen: { 'kubernetes:enableSecretMutable': 'true', ...unseen },
  });
  const site = facts('', {}).unseen;
  const before = { site, stacks: new Map([['ada', facts('ada', { 'kubernetes:context': 'one' })]]) };
  const flags = flagsOf(
    [
      facts('ada', { 'kubernetes:context': 'other', 'kubernetes:kubeconfig': 'token: canary' }),
      facts('bob', {}),
      facts('eve', { 'pulumi:disable-default-providers': '["*"]' }),
    ],
    before,
  );
  expect(Object.fromEntries(flags)).toEqual({
    ada: [{ kind: 'unseen', with: ['kubernetes:context', 'kubernetes:kubeconfig'], more: 0 }],
    eve: [{ kind: 'unseen', with: ['pulumi:disable-default-providers'], more: 0 }],
  });
  expect(JSON.stringify([...flags])).not.toContain('canary');
  expect(flagsOf([facts('ada', { 'kubernetes:context': 'other' })]).size).toBe(0);
});

test('a change with odd stacks: each fails by its name, the good one is previewed and flagged', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'preview-change-'));
  try {
    const git = gitIn(directory);
    const parts = ['Pulumi.yaml', 'package.json', 'index.ts', 'node-version.mjs', 'components', 'stacks'];
    for (const part of [...parts, 'sidecar/contract'])
      cpSync(join(root, part), join(directory, part), { recursive: true });
    const file = (stack: string) => join(directory, 'stacks', `Pulumi.${stack}.yaml`);
    const demo = readFileSync(file('demo'), 'utf8');
    // Reads as a stack in the namespace and on the project space of the other; the change does not touch it.
    writeFileSync(file('twin'), 'config:\n  scipion:namespace: demo\n  scipion:projectSpaceId: project\n');
    writeFileSync(join(directory, '.gitignore'), 'node_modules\n');
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '--message', 'base');
    const base = git('rev-parse', 'HEAD');
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(file('demo'), `${demo}  scipion:discardUnsavedChanges: true\n`);
    writeFileSync(file('broken'), 'config: {');
    symlinkSync('/etc/passwd', file('linked'));
    const odd = '$(touch pwned);`touch pwned`<img src=x>\n::error::"x';
    writeFileSync(file(odd), demo);
    writeFileSync(file('n'.repeat(120)), demo);
    git('add', '.');
    git('commit', '--quiet', '--message', 'change');

    const main = join(root, 'automation/preview/main.ts');
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [main, ...args, '--base', base], {
        cwd: directory,
        encoding: 'utf8',
        env: { ...process.env, GITHUB_STEP_SUMMARY: join(directory, 'summary.md') },
      });
    const stacks = run('stacks').stdout;
    expect(stacks.trimEnd()).not.toContain('\n');
    expect(JSON.parse(stacks).stacks).toEqual(['broken', 'demo', 'linked']);

    const shell = `"${process.execPath}" "${main}" stacks --base ${base} | :`;
    const unread = spawnSync('sh', ['-c', shell], { cwd: directory, encoding: 'utf8' });
    expect(unread.stderr).toBe('');

    const result = run('report', '--out', 'preview.json', '--whole', 'preview.md');
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(
      /^error: the preview of broken, linked, .* (fail or are refused); the summary says why\.\n$/,
    );
    const report = reportSchema.parse(JSON.parse(readFileSync(join(directory, 'preview.json'), 'utf8')));
    const states = Object.fromEntries(report.stacks.map(({ stack, state }) => [stack, state]));
    expect(states).toEqual({
      broken: 'failed',
      demo: 'new',
      linked: 'failed',
      [odd]: 'failed',
      ['n'.repeat(120)]: 'failed',
    });
    expect(report.stacks.find(({ stack }) => stack === 'demo')?.flags).toEqual([
      { kind: 'namespace', with: ['twin'], more: 0 },
      { kind: 'projectSpace', with: ['twin'], more: 0 },
      { kind: 'discards', with: [], more: 0 },
    ]);
    const summary = readFileSync(join(directory, 'summary.md'), 'utf8');
    expect(summary).toContain('5 stacks: 4 failed, 1 new; 1 flagged');
    expect(summary).toContain("#### `$(touch pwned);'touch pwned'<img src=x> ::error::\"x`: fails");
    expect(summary).toContain('Expected: 1 to 100 of A-Z');
    expect(existsSync(join(directory, 'pwned'))).toBe(false);
    expect(readFileSync(join(directory, 'preview.md'), 'utf8')).not.toContain(directory);

    // Against the base: what no manifest shows, a blank that hides a shared space, and what `up` refuses.
    writeFileSync(file('demo'), demo.replace('SpaceId: project', 'SpaceId: "project "'));
    const compare = (text: string) => {
      writeFileSync(file('demo'), text);
      git('commit', '--quiet', '--all', '--message', 'again');
      return run('report', '--base-directory', baseFolder, '--out', 'preview.json');
    };
    const baseFolder = join(directory, '..', `${basename(directory)}-base`);
    git('worktree', 'add', '--quiet', '--detach', baseFolder, base);
    symlinkSync(join(root, 'node_modules'), join(baseFolder, 'node_modules'));
    const of = (name: string) =>
      reportSchema
        .parse(JSON.parse(readFileSync(join(directory, 'preview.json'), 'utf8')))
        .stacks.find(({ stack }) => stack === name);
    compare(`${demo}  kubernetes:context: elsewhere\nenvironment: [shared]\n`);
    expect(of('demo')).toMatchObject({ state: 'changed' });
    expect(of('demo')?.flags?.find(({ kind }) => kind === 'unseen')?.with).toEqual([
      'environment of stacks/Pulumi.demo.yaml',
      'kubernetes:context',
    ]);
    const refused = compare(demo.replace('sourceSpaceId: source', 'sourceSpaceId: another'));
    expect(of('demo')).toMatchObject({ state: 'refused', gravest: 'refused' });
    expect(refused.stderr).toContain('demo');
    writeFileSync(file('demo'), demo.replace('SpaceId: project', 'SpaceId: "project "'));
    expect((await readFacts(directory, 'demo'))?.projectSpace).toBe('project');
    rmSync(baseFolder, { recursive: true });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
