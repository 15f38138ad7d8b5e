import { describe, expect, test } from 'vitest';
import { cycles } from './cycles.ts';
import { arrowOffence, layerOf, packageOffence } from './layers.ts';
import { allImports, importsOf, trackedFiles } from './sources.ts';

const found = <T>(items: readonly T[], offence: (item: T) => string | undefined) =>
  items.map(offence).filter((sentence) => sentence !== undefined);

describe('import arrows', () => {
  test('hold for every file of the repository', () => {
    expect(found(allImports(), arrowOffence)).toEqual([]);
  });

  test('begin and end in a layer: each source file is in one', () => {
    const sources = trackedFiles().filter((file) => /\.(ts|js|mjs|py|go|sh)$/.test(file));
    expect(sources.filter((file) => layerOf(file) === undefined)).toEqual([]);
    for (const file of ['elsewhere/file.ts', 'file.ts', 'sidecar.config.ts']) {
      const [statement] = importsOf(file, `export { x } from './stacks/schema.ts';`);
      expect(statement && arrowOffence(statement)).toContain(`${file} is in no layer`);
      const [back] = importsOf('index.ts', `export { x } from './${file}';`);
      expect(back && arrowOffence(back)).toContain(`${file}, which is in no layer`);
    }
  });

  test('lead in no circle from file to file', () => {
    expect(cycles(allImports())).toEqual([]);
    const circle = [
      { file: 'a.ts', specifier: './b.ts', target: 'b.ts' },
      { file: 'b.ts', specifier: './c.ts', target: 'c.ts' },
      { file: 'c.ts', specifier: './b.ts', target: 'b.ts' },
    ];
    expect(cycles(circle)).toEqual([['b.ts', 'c.ts']]);
  });

  test('packages stay where they belong', () => {
    expect(found(allImports(), packageOffence)).toEqual([]);
  });

  test('relative imports name files of the repository, with their ending', () => {
    const files = new Set(trackedFiles());
    const missing = allImports().filter(({ target }) => {
      return target !== undefined && !files.has(target);
    });
    expect(missing.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  });

  test.each([
    ['components/volumes.ts', '../automation/recording/index.ts', 'nothing of where they run'],
    ['stacks/load.ts', '../components/names.ts', 'configuration comes before components'],
    ['sidecar/src/main.ts', '../../stacks/versions.ts', 'built from sidecar/ alone'],
    ['sidecar/src/sync/plan/table.ts', '../save/save.ts', 'plan <- save'],
    ['sidecar/src/sync/model.ts', './state/state.ts', 'state <- volume'],
    ['sidecar/src/sync/service/service.ts', '../main.ts', 'service <- main.ts'],
    ['sidecar/src/spaces/space.ts', '../sync/model.ts', 'what is somewhere else knows nothing'],
    ['sidecar/src/gateway/view.ts', '../sync/model.ts', 'share no more than the contract'],
    ['sidecar/src/sync/main.ts', '../gateway/view.ts', 'share no more than the contract'],
    ['emulators/onedata/serve.ts', '../../sidecar/src/spaces/space.ts', 'knows none'],
    ['automation/meaning/meaning.ts', '../recording/index.ts', 'whichever engine made it'],
    ['automation/preview/main.ts', '../../components/names.ts', 'recorded, not imported'],
    ['automation/preview/deploy.ts', '../../components/drain.ts', 'may ask the cluster'],
    ['automation/fleet/fleet.ts', '../../local/cli/machine.ts', 'knows none of its callers'],
    ['automation/fleet/fleet.ts', '../../components/drain.ts', 'drives the program by its engine'],
    ['console/src/board.ts', '../../components/drain.ts', 'every action of it is one of the fleet'],
    ['console/src/board.ts', '../../sidecar/src/gateway/view.ts', 'every action of it is one of the fleet'],
    ['automation/fleet/fleet.ts', '../../console/src/board.ts', 'knows none of its callers'],
    ['sidecar/web/shared/format.ts', '../src/language.ts', 'whatever serves pages stands on it'],
    ['automation/tools/cache.ts', '../../local/apt.ts', 'concerns no product'],
    ['automation/recording/record.ts', '../../stacks/schema.ts', 'knows nothing of Scipion'],
    ['automation/engine/stack.ts', '../../stacks/schema.ts', 'knows nothing of Scipion'],
    ['local/cli/main.ts', '../../test/helpers/program.ts', 'nothing imports tests'],
    ['sidecar/src/spaces/space.ts', '../../test/spaces/memory-space.ts', 'nothing imports tests'],
  ])('refuse %s importing %s', (file, specifier, reason) => {
    const [statement] = importsOf(file, `export { x } from '${specifier}';`);
    expect(statement && arrowOffence(statement)).toContain(reason);
  });

  test.each([
    ['components/manifests/pod.ts', '@pulumi/pulumi'],
    ['stacks/schema.ts', 'node:fs'],
    ['sidecar/src/main.ts', '@pulumi/pulumi'],
  ])('refuse the package in %s: %s', (file, specifier) => {
    const [statement] = importsOf(file, `import '${specifier}';`);
    expect(statement && packageOffence(statement)).toContain(`${file} imports ${specifier}`);
  });
});
