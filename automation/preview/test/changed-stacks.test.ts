import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changedStacks, isGuard } from '../changed-stacks.ts';

const ALL = ['stacks/Pulumi.ada.yaml', 'stacks/Pulumi.bob.yaml', 'stacks/schema.ts', 'stacks/versions.ts'];

describe('which stacks a change concerns', () => {
  test.each<[string, string[], string[], string[]]>([
    ['one stack file', ['stacks/Pulumi.bob.yaml'], ['bob'], []],
    ['a component', ['components/volumes.ts', 'README.md'], ['ada', 'bob'], []],
    ['a manifest', ['components/manifests/pod.ts'], ['ada', 'bob'], []],
    ['the schema', ['stacks/schema.ts'], ['ada', 'bob'], []],
    ['the defaults of the site', ['Pulumi.yaml'], ['ada', 'bob'], []],
    ['the versions of packages', ['package-lock.json'], ['ada', 'bob'], []],
    ['the check of the Node version', ['node-version.mjs'], ['ada', 'bob'], []],
    ['the contract', ['sidecar/contract/paths.ts'], ['ada', 'bob'], []],
    ['data that a component reads', ['components/site.json'], ['ada', 'bob'], []],
    ['a module beside the program', ['helpers.mjs'], ['ada', 'bob'], []],
    ['words about a component', ['components/README.md', 'LICENSE'], [], []],
    ['only the sidecar', ['sidecar/src/sync/main.ts', 'docs/index.md', 'test/stack/a.test.ts'], [], []],
    ['a stack taken away', ['stacks/Pulumi.eve.yaml'], [], ['eve']],
    ['a stack taken away with the program', ['stacks/Pulumi.eve.yaml', 'index.ts'], ['ada', 'bob'], ['eve']],
    ['nothing', [], [], []],
  ])('%s', (_name, changed, stacks, removed) => {
    expect(changedStacks(changed, ALL)).toMatchObject({ stacks, removed });
  });

  test('a stack whose file is a link changes with what it leads to', () => {
    const links = new Map([['stacks/Pulumi.bob.yaml', 'shared/site.yaml']]);
    expect(changedStacks(['shared/site.yaml'], ALL, links)).toMatchObject({ stacks: ['bob'] });
    expect(changedStacks(['shared/other.yaml'], ALL, links)).toMatchObject({ stacks: [] });
  });

  test.each([
    ['.github/workflows/preview.yml', true],
    ['automation/preview/report.ts', true],
    ['policy/index.ts', true],
    ['stacks/Pulumi.ada.yaml', false],
    ['components/pod.ts', false],
  ])('%s makes reports or brings changes: %s', (file, expected) => {
    expect(isGuard(file)).toBe(expected);
  });

  const ODD = [
    '$(id)',
    'a;b',
    'a b',
    '<img src=x>',
    'a`b',
    '-rf',
    '.',
    'a\n::error::b',
    'ü',
    'n'.repeat(101),
  ];
  test.each(ODD)('a stack named %j is refused, not passed over', (name) => {
    const file = `stacks/Pulumi.${name}.yaml`;
    const added = { stacks: [], removed: [], refused: [name], existing: ['ada', 'bob'] };
    expect(changedStacks([file], [...ALL, file])).toMatchObject(added);
    expect(changedStacks(['index.ts'], [...ALL, file])).toMatchObject({
      stacks: ['ada', 'bob'],
      refused: [name],
    });
    expect(changedStacks(['README.md'], [...ALL, file])).toMatchObject({ stacks: [], refused: [] });
    expect(changedStacks([file], ALL)).toMatchObject({ removed: [name], refused: [] });
  });

  test('never a stack that does not exist, never one twice', () => {
    const file = fc.constantFrom(...ALL, 'index.ts', 'README.md', 'stacks/Pulumi.eve.yaml');
    fc.assert(
      fc.property(fc.array(file), fc.subarray(ALL), (changed, existing) => {
        const { stacks, removed } = changedStacks(changed, existing);
        expect(new Set(stacks).size).toBe(stacks.length);
        for (const stack of stacks) expect(existing).toContain(`stacks/Pulumi.${stack}.yaml`);
        for (const stack of removed) expect(existing).not.toContain(`stacks/Pulumi.${stack}.yaml`);
      }),
    );
  });
});
