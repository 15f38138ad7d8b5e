import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkManifests, VARIANTS, variantManifests } from '../check-manifests.ts';

/** Builds two Go programs where the cache lacks them. */
const PATIENCE = 300_000;

test(
  'no variant of a stack has an object of a wrong form or a critical finding, and mistakes would be found',
  async () => {
    const rendered = await variantManifests(fileURLToPath(new URL('../../../', import.meta.url)));
    expect([...rendered.keys()]).toEqual([...Object.keys(VARIANTS), 'a site']);
    for (const [name, documents] of rendered) expect(await checkManifests(documents), name).toEqual([]);

    const usual = rendered.get('usual') ?? '';
    const found = async (from: RegExp, to: string) =>
      (await checkManifests(usual.replace(from, to))).join('\n');
    expect(await found(/"terminationGracePeriodSeconds"/, '"terminationGracePeriod"')).toMatch(
      /StatefulSet scipion is invalid: .*terminationGracePeriod/,
    );
    expect(await found(/"replicas":1/, '"replicas":"one"')).toMatch(
      /StatefulSet scipion is invalid: .*replicas/,
    );
    expect(await found(/"kind":"ResourceQuota"/, '"kind":"ResourceQuote"')).toContain(
      'ResourceQuote: a kind without a schema',
    );
    expect(await found(/"readOnlyRootFilesystem":true/, '"readOnlyRootFilesystem":false')).toMatch(
      /\[CRITICAL\] scipion\/jane apps\/v1\/StatefulSet: .*root filesystem/i,
    );
  },
  PATIENCE,
);
