import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type JsonShape, shapeOf } from '../../stacks/fields.ts';
import { stackFileSchema } from '../../stacks/json-schema.ts';
import { judge } from '../../stacks/judge.ts';
import { wholeNumbers } from '../../stacks/number-patterns.ts';
import { SETTING_FIELDS, type Settings } from '../../stacks/schema.ts';
import { asText, fits } from '../helpers/json-shape.ts';
import { rawStack } from '../helpers/raw-stack.ts';

/** What an editor says of a stack's file by docs/stack.schema.json. */

describe('what the program refuses an editor refuses', () => {
  test.each<[key: keyof Settings, value: unknown]>([
    ['publicPort', '99999'],
    ['publicPort', '0'],
    ['keepLastSaves', '1001'],
    ['memory', '8000Ti'],
    ['memory', '1Gi'],
    ['memory', '0Gi'],
    ['autosaveInterval', '2 days'],
    ['autosaveInterval', '9 seconds'],
    ['finalSaveGrace', '25 hours'],
    ['cpuLimit', '99'],
    ['cpuLimit', '499m'],
    ['namespace', 'default'],
    ['namespace', 'kube-system'],
    ['sourceInclude', ['../x']],
    ['sourceInclude', ['a/..']],
    ['sourceInclude', ['!a']],
    ['sourceExclude', [' a']],
    ['desktopEnvironment', { HOME: 'x' }],
    ['desktopEnvironment', { SCIPION_X: 'x' }],
    ['desktopEnvironment', { 'a b': 'x' }],
    ['onedataNetworks', ['x']],
    ['signInNetworks', ['10.0.0.0']],
    ['nodeSelector', { 'a b': 'x' }],
    ['ingressAnnotations', { 'a/b/c': 'x' }],
    ['extraResources', { cpu: '1' }],
    ['extraVolumes', [{ name: 'a', mountPath: 'x', claim: 'c' }]],
    ['tolerations', [{ kee: 'a' }]],
  ])('%s %j', (key, value) => {
    expect(fits(shapeOf(SETTING_FIELDS[key]), value)).toBe(false);
    expect(judge(rawStack({ [key]: asText(value) })).problems).not.toEqual([]);
  });

  test('numbers are bounded as they are', () => {
    const bounds = fc
      .tuple(fc.nat(120_000), fc.nat(120_000))
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
    fc.assert(
      fc.property(bounds, fc.nat(130_000), ([least = 0, most = 0], near) => {
        const expression = new RegExp(`^${wholeNumbers(least, most)}$`);
        for (const value of [near, least, most, most + 1, Math.max(0, least - 1)])
          expect([value, expression.test(String(value))]).toEqual([value, value >= least && value <= most]);
      }),
    );
  });
});

test('the schema knows every key of the demo stack and of the site', () => {
  const { properties } = stackFileSchema() as {
    properties: { config: { properties: Record<string, JsonShape> } };
  };
  const files = ['stacks/Pulumi.demo.yaml', 'Pulumi.yaml'].map((name) =>
    parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')),
  );
  const given = files.flatMap(({ config }) => Object.entries<unknown>(config));
  const own = given.filter(([key]) => key.startsWith('scipion:'));
  expect(
    own.filter(([key, value]) => !fits(properties.config.properties[key] ?? { enum: [] }, value)),
  ).toEqual([]);
});
