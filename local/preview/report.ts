import { stripVTControlCharacters } from 'node:util';
import * as z from 'zod';

/** What one preview says of its stacks; written by the job that runs the change, read by the one that comments. */
export const reportSchema = z.strictObject({
  because: z.string().max(500),
  stacks: z
    .array(
      z.strictObject({
        stack: z.string().max(100),
        state: z.enum(['new', 'changed', 'unchanged', 'failed', 'removed']),
        /** Resources that the stack has, the stack and its components left out. */
        resources: z.int().min(0),
        /** Keys that got a placeholder. */
        placeholders: z.array(z.string().max(100)).max(100),
        /** A diff of the manifests against the base, the manifests of a new stack, or the errors. */
        text: z.string().max(2_000_000),
      }),
    )
    .max(500),
});
export type Report = z.infer<typeof reportSchema>;
export type StackReport = Report['stacks'][number];

export const MARKER = '<!-- scipion-stack-preview -->';
/** GitHub refuses comments above 65536 characters, job summaries above 1 MiB. */
export const COMMENT_LIMIT = 60_000;
export const SUMMARY_LIMIT = 900_000;

const STATE_WORDS: Readonly<Record<StackReport['state'], string>> = {
  new: 'new',
  changed: 'changes',
  unchanged: 'does not change',
  failed: 'fails',
  removed:
    'is no longer in stacks/; `npm run destroy -- --stack NAME` saves its project and removes its instance',
};

/** The report as Markdown of at most `limit` characters. Its texts appear only inside code fences. */
export function toMarkdown(report: Report, limit: number): string {
  const head = [
    '### Preview of the stacks',
    `Without credentials and without a cluster: the manifests of the change against those of its base; ${inline(report.because)}. Secrets are masked.`,
    report.stacks.length === 0 ? 'No stack to preview.' : '',
  ];
  const room = limit - head.join('\n\n').length - 200;
  const share = Math.floor(room / Math.max(report.stacks.length, 1));
  return [...head, ...report.stacks.map((stack) => section(stack, share))]
    .filter((part) => part !== '')
    .join('\n\n')
    .slice(0, limit);
}

function section(stack: StackReport, limit: number): string {
  const title = `#### ${inline(stack.stack)}: ${STATE_WORDS[stack.state]}`;
  const facts = [
    ...(stack.resources > 0 ? [`${stack.resources} resources.`] : []),
    ...(stack.placeholders.length > 0
      ? [`Not at hand here, so examples and dummies: ${stack.placeholders.map(inline).join(', ')}.`]
      : []),
  ].join(' ');
  const around = title.length + facts.length + 100;
  const body = stack.text.trim() === '' ? '' : fenced(stack.text, stack.state, Math.max(limit - around, 200));
  return [title, facts, body].filter((part) => part !== '').join('\n\n');
}

/** Text of a pull request may hold anything; in a fence longer than any of its own it is only text. */
function fenced(text: string, state: StackReport['state'], limit: number): string {
  const clean = withoutControls(text);
  const cut =
    clean.length > limit ? `${clean.slice(0, limit)}\n… ${clean.length - limit} more characters` : clean;
  const longest = Math.max(2, ...[...cut.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  const language = state === 'changed' ? 'diff' : state === 'failed' ? 'text' : 'yaml';
  return `<details><summary>${state === 'failed' ? 'Errors' : 'Manifests'}</summary>\n\n${fence}${language}\n${cut.trimEnd()}\n${fence}\n\n</details>`;
}

/** As code: names cannot mention people, link or break out. */
function inline(text: string): string {
  return `\`${withoutControls(text).replaceAll('`', "'").replaceAll('\n', ' ')}\``;
}

/** Without terminal colours, control characters and marks that turn the direction of text. */
function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\n' || character === '\t' ? character : '',
  );
}
