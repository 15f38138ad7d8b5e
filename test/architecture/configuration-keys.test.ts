import ts from 'typescript';
import { expect, test } from 'vitest';
import { gatewayConfigSchema, syncConfigSchema } from '../../sidecar/contract/config.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { readSource, trackedFiles } from './sources.ts';

/** A key that reaches a configuration and is read by no code does nothing, and no compiler says so. */

/** Names of what the text takes out of objects: `config.name`, `{ name } = config`, `config['name']`. */
function readsOf(text: string): Set<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node)) found.add(node.name.text);
    else if (ts.isElementAccessExpression(node) && ts.isStringLiteral(node.argumentExpression))
      found.add(node.argumentExpression.text);
    else if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
      const name = node.propertyName ?? node.name;
      if (ts.isIdentifier(name)) found.add(name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true));
  return found;
}

test.each([
  ['sync', Object.keys(syncConfigSchema.shape), /^sidecar\/src\/sync\/.*\.ts$/],
  ['the gateway', Object.keys(gatewayConfigSchema.shape), /^sidecar\/src\/gateway\/.*\.ts$/],
  ['the program', Object.keys(SETTING_FIELDS), /^(index|components\/.*)\.ts$/],
])('each key of the configuration of %s is read in its code', (_who, keys, sources) => {
  const reads = new Set(
    trackedFiles()
      .filter((file) => sources.test(file))
      .flatMap((file) => [...readsOf(readSource(file))]),
  );
  expect(keys.filter((key) => !reads.has(key))).toEqual([]);
  expect(keys.length).toBeGreaterThan(3);
});

test('what is read is told from what is only written', () => {
  expect(
    [
      ...readsOf('const a = { written: 1, short }; f(a.dot); const { taken, other: b } = a; a["by text"];'),
    ].sort(),
  ).toEqual(['by text', 'dot', 'other', 'taken']);
});
