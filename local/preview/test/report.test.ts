import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COMMENT_LIMIT, type Report, reportSchema, type StackReport, toMarkdown } from '../report.ts';

const stack = (changes: Partial<StackReport>): StackReport => ({
  stack: 'ada',
  state: 'changed',
  resources: 25,
  placeholders: [],
  text: '@@ -1 +1 @@\n-memory: 8Gi\n+memory: 16Gi\n',
  ...changes,
});
const report = (...stacks: StackReport[]): Report => ({ because: 'its file changed', stacks });

/** Lines outside of code fences. */
function outside(markdown: string): string {
  let fence: string | undefined;
  const lines = markdown.split('\n').filter((line) => {
    const mark = /^`{3,}/.exec(line)?.[0];
    if (fence === undefined && mark) {
      fence = mark;
      return false;
    }
    if (fence !== undefined && line === fence) {
      fence = undefined;
      return false;
    }
    return fence === undefined;
  });
  return lines.join('\n');
}

describe('the report as Markdown', () => {
  test('names each stack, what happens to it, and shows the diff', () => {
    const markdown = toMarkdown(
      report(
        stack({ placeholders: ['scipion:sourceToken'] }),
        stack({ stack: 'bob', state: 'removed', text: '' }),
      ),
      COMMENT_LIMIT,
    );
    expect(markdown).toContain('#### `ada`: changes');
    expect(markdown).toContain('`scipion:sourceToken`');
    expect(markdown).toContain('```diff\n@@ -1 +1 @@\n-memory: 8Gi\n+memory: 16Gi\n```');
    expect(markdown).toContain('#### `bob`: is no longer in stacks/');
  });

  test('text of a change cannot leave its fence', () => {
    const evil = 'a: |\n```\n@everyone ![x](https://evil.example/pixel)\n````\n<img src=x>\n';
    const markdown = toMarkdown(report(stack({ text: evil, stack: 'x`@all`' })), COMMENT_LIMIT);
    expect(outside(markdown)).not.toContain('everyone');
    expect(outside(markdown)).not.toContain('<img');
    expect(outside(markdown)).toContain("`x'@all'`");
  });

  test('for any text: inside the limit, and outside of fences always the same', () => {
    const expected = outside(toMarkdown(report(stack({ text: 'x' })), COMMENT_LIMIT));
    const piece = fc.constantFrom(
      '`',
      '```',
      '\n',
      '~~~',
      '@team',
      '\u001b[31m',
      '\r',
      'ü',
      '</details>',
      'a: b',
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 400 }), (pieces) => {
        const text = `x${pieces.join('')}`;
        const markdown = toMarkdown(report(stack({ text })), COMMENT_LIMIT);
        expect(markdown.length).toBeLessThanOrEqual(COMMENT_LIMIT);
        expect(outside(markdown)).toBe(expected);
      }),
    );
  });

  test('long texts are cut, each stack gets its share', () => {
    const long = 'line of a manifest\n'.repeat(20_000);
    const markdown = toMarkdown(
      report(stack({ text: long }), stack({ stack: 'bob', text: long })),
      COMMENT_LIMIT,
    );
    expect(markdown.length).toBeLessThanOrEqual(COMMENT_LIMIT);
    expect(markdown).toContain('#### `bob`');
    expect(markdown.match(/more characters/g)).toHaveLength(2);
    expect(outside(markdown)).not.toContain('line of a manifest');
  });

  test('an artifact of another form is refused', () => {
    expect(reportSchema.safeParse({ because: 'x', stacks: [{ stack: 'a' }] }).success).toBe(false);
    expect(reportSchema.safeParse({ because: 'x', stacks: [], pullRequest: 7 }).success).toBe(false);
    expect(reportSchema.safeParse(report(stack({}))).success).toBe(true);
  });
});
