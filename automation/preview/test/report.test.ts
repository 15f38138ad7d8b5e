import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { problemsMessage, settingProblem } from '../../../stacks/problems.ts';
import {
  boundReport,
  COMMENT_LIMIT,
  type Report,
  reportSchema,
  type StackReport,
  SUMMARY_LIMIT,
  toMarkdown,
} from '../report.ts';

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
    expect(markdown).toContain(
      '#### `bob`: is no longer in stacks/; `npm run destroy -- --stack NAME` saves its project',
    );
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

  const long = 'ü: line of a manifest ```\n'.repeat(4000);
  test.each<[number, number]>([
    [1, COMMENT_LIMIT],
    [200, COMMENT_LIMIT],
    [600, COMMENT_LIMIT],
    [600, SUMMARY_LIMIT],
    [600, 1500],
  ])(
    '%d stacks in %d bytes: the counts are right, the worst is first, every element is closed',
    (count, limit) => {
      const states = ['unchanged', 'new', 'changed', 'removed', 'failed'] as const;
      const stacks = Array.from({ length: count }, (_, number) => {
        const state = states[(number + 4) % 5] ?? 'new';
        const text = state === 'unchanged' || state === 'removed' ? '' : long;
        return stack({ stack: `${state}-${number}-${'n'.repeat(number % 90)}`, state, text });
      });
      const markdown = toMarkdown(report(...stacks), limit);
      expect(Buffer.byteLength(markdown)).toBeLessThanOrEqual(limit);
      const counts =
        count === 1
          ? '1 stack: 1 failed'
          : `${count} stacks: ${['failed', 'removed', 'changed', 'new', 'unchanged'].map((state) => `${count / 5} ${state}`).join(', ')}`;
      expect(markdown).toContain(counts);
      const text = outside(markdown);
      expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length);
      expect(text).not.toContain('line of a manifest');
      const titles = [...text.matchAll(/^#### `(\w+)-/gm)].map((match) => match[1] ?? '');
      const order = ['failed', 'removed', 'changed', 'new'];
      expect(titles).toEqual(titles.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
      const left = Number(/Not shown here: (\d+) stacks?:/.exec(text)?.[1] ?? 0);
      expect(titles.length + left).toBe(stacks.filter((each) => each.state !== 'unchanged').length);
      if (left > 0) expect(text).toContain('The artifact `preview` of the run has the whole report');
      expect(toMarkdown(report(...stacks), Number.POSITIVE_INFINITY)).not.toMatch(
        /Not shown|more characters|more\./,
      );
    },
  );

  test('one that is refused or removed is not lost among hundreds that change', () => {
    const quiet = { meaning: ['nothing for the user'] };
    const many = Array.from({ length: 300 }, (_, number) => stack({ ...quiet, stack: `s${number}` }));
    const all = [
      ...many,
      stack({ stack: 'shared', flags: [{ kind: 'namespace', with: ['s1'], more: 0 }] }),
      stack({ stack: 'later', gravest: 'at the next start' }),
      stack({ stack: 'gone', gravest: 'removes' }),
      stack({ stack: 'taken', state: 'removed', text: '' }),
      stack({ stack: 'no', state: 'refused', gravest: 'refused' }),
    ];
    const markdown = toMarkdown(report(...all), COMMENT_LIMIT);
    const titles = [...markdown.matchAll(/^#### `(\w+)`/gm)].map((match) => match[1]);
    expect(titles.slice(0, 6)).toEqual(['no', 'taken', 'gone', 'shared', 'later', 's0']);
    expect(markdown).toContain('305 stacks: 1 refused, 1 removed, 303 changed; 1 flagged');
    expect(markdown).toContain('#### `no`: would be refused by `pulumi up`');
  });

  test('names the commit, and says first where the change touches what makes it', () => {
    const guards = ['.github/workflows/preview.yml', 'a`<img>\n# @all'];
    const markdown = toMarkdown(report(stack({})), COMMENT_LIMIT, { commit: 'a1b2c3d4e5f6a7b8', guards });
    expect(markdown).toMatch(/^### Preview of the stacks at a1b2c3d4e5f6\n\n\*\*Look first:\*\*/);
    expect(markdown).toContain(
      "`.github/workflows/preview.yml`, `a'<img> # @all`. What follows may say anything.",
    );
    expect(toMarkdown(report(stack({})), COMMENT_LIMIT)).not.toContain('Look first');
  });

  test('a stack whose base cannot be read says so and why', () => {
    const broken = stack({
      state: 'uncompared',
      text: long,
      baseErrors: `Pulumi.yaml is not valid YAML\n${long}`,
    });
    for (const from of [report(broken), boundReport(report(broken))]) {
      const markdown = toMarkdown(from, COMMENT_LIMIT);
      expect(markdown).toContain('1 stack: 1 not compared');
      expect(markdown).toContain('#### `ada`: is not compared, since its base cannot be read');
      expect(markdown).toContain(
        '<summary>Why the base cannot be read</summary>\n\n````text\nPulumi.yaml is not valid',
      );
      expect(outside(markdown)).not.toContain('line of a manifest');
      expect(markdown.match(/<details>/g)).toHaveLength(2);
      expect(Buffer.byteLength(markdown)).toBeLessThanOrEqual(COMMENT_LIMIT);
    }
  });

  test('a flag is shown even of a stack that does not change, after those that fail, and is only text', () => {
    const quiet = { state: 'unchanged', text: '' } as const;
    const markdown = toMarkdown(
      report(
        stack({ stack: 'eve' }),
        stack({ ...quiet, flags: [{ kind: 'namespace', with: ['b`<img src=x>\n# @all'], more: 3 }] }),
        stack({ ...quiet, stack: 'bob', flags: [{ kind: 'discards', with: [], more: 0 }] }),
        stack({ stack: 'jane', state: 'failed' }),
        stack({ ...quiet, stack: 'calm' }),
      ),
      COMMENT_LIMIT,
    );
    expect(markdown).toContain('5 stacks: 1 failed, 1 changed, 3 unchanged; 2 flagged');
    expect(markdown).toContain("the same namespace as `b'<img src=x> # @all` and 3 more.");
    expect(markdown).toContain('`scipion:discardUnsavedChanges` is true.');
    expect([...markdown.matchAll(/^#### `(\w+)/gm)].map(([, name]) => name)).toEqual([
      'jane',
      'ada',
      'bob',
      'eve',
    ]);
    expect(markdown).toContain('Unchanged: `calm`.');
  });

  test('the docs show it as a person sees it', () => {
    const markdown = toMarkdown(
      report(
        stack({
          stack: 'bob',
          text: '',
          flags: [{ kind: 'projectSpace', with: ['jane'], more: 0 }],
          meaning: [
            'grows the project volume from 10Gi to 20Gi, where the storage class can',
            'takes effect at the next start of the pod, the session continues until then: CPUs, memory or scratch',
          ],
        }),
        stack({
          state: 'failed',
          resources: 0,
          text: problemsMessage('ada', [
            settingProblem('ada', 'memory', '"8000Ti"', 'a size from 2Gi to 2Ti', '16Gi'),
          ]),
        }),
        stack({ stack: 'eve', state: 'unchanged', text: '' }),
      ),
      COMMENT_LIMIT,
      { commit: '3f2a91c0d4e7' },
    );
    const docs = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
    expect(docs).toContain(`\`\`\`\`markdown\n${markdown}\n\`\`\`\`\n`);
  });

  test('what an up means is only text, whatever value of the change is in it', () => {
    const evil = 'refused: from "x`](javascript:1) @all\n# <b>" to "y"';
    const markdown = toMarkdown(boundReport(report(stack({ meaning: [evil] }))), COMMENT_LIMIT);
    expect(markdown).toContain(`- \`refused: from "x'](javascript:1) @all # <b>" to "y"\``);
    expect(reportSchema.safeParse(boundReport(report(stack({ meaning: ['x'.repeat(5000)] })))).success).toBe(
      true,
    );
  });

  test('a text that is one run of marks is left out whole', () => {
    const markdown = toMarkdown(report(stack({ text: '`'.repeat(70_000) })), COMMENT_LIMIT);
    expect(markdown).not.toContain('<details>');
    expect(markdown).toContain('Not shown here: 70000 characters.');
  });

  test('the file of 600 stacks with names of 250 characters is one that the comment reads', () => {
    const stacks = Array.from({ length: 600 }, () =>
      stack({ stack: 'n'.repeat(250), state: 'failed', text: '"\u0000\n'.repeat(6000) }),
    );
    const file = JSON.stringify(boundReport({ because: 'w'.repeat(4000), stacks }));
    expect(Buffer.byteLength(file)).toBeLessThan(16 * 2 ** 20);
    const read = reportSchema.parse(JSON.parse(file));
    expect(read.stacks).toHaveLength(600);
    expect(toMarkdown(read, COMMENT_LIMIT)).toContain('600 stacks: 600 failed');
  });

  test('what the file cuts off is counted in the comment', () => {
    const bounded = boundReport(report(stack({ text: 'x'.repeat(100_000) })));
    expect(toMarkdown(bounded, Number.POSITIVE_INFINITY)).toContain(
      `… ${100_000 - COMMENT_LIMIT} more characters`,
    );
  });
});
