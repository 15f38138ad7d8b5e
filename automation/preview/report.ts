import { stripVTControlCharacters } from 'node:util';
import * as z from 'zod';
import { GRAVITY } from '../meaning/meaning.ts';

/** What a reviewer must see of a stack, although the stack alone is right. */
export const flagSchema = z.strictObject({
  /** `namespace`, `projectSpace`: the same as that of the stacks in `with`. `unseen`: `with` are keys that no manifest shows. */
  kind: z.enum(['namespace', 'projectSpace', 'discards', 'unseen']),
  with: z.array(z.string().max(300)).max(5),
  /** Stacks besides those of `with`. */
  more: z.int().min(0),
});
export type Flag = z.infer<typeof flagSchema>;

/** What one preview says of its stacks; written by the job that runs the change, read by the one that comments. */
export const reportSchema = z.strictObject({
  because: z.string().max(500),
  stacks: z
    .array(
      z.strictObject({
        stack: z.string().max(300),
        state: z.enum(['new', 'changed', 'unchanged', 'uncompared', 'failed', 'refused', 'removed']),
        /** Resources that the stack has, the stack and its components left out. */
        resources: z.int().min(0),
        /** Keys that got a placeholder. */
        placeholders: z.array(z.string().max(300)).max(100),
        /** A diff of the manifests against the base, the manifests of a new stack, or the errors. */
        text: z.string().max(2_000_000),
        /** Characters that were taken off the end of `text`. */
        cut: z.int().min(0).optional(),
        /** Of a stack that is not compared: why its base cannot be read. */
        baseErrors: z.string().max(2_000_000).optional(),
        flags: z.array(flagSchema).max(10).optional(),
        /** What an `up` means for the user, the gravest first. */
        meaning: z.array(z.string().max(1000)).max(30).optional(),
        /** Kind of the first of `meaning`. */
        gravest: z.string().max(40).optional(),
      }),
    )
    .max(10_000),
});
export type Report = z.infer<typeof reportSchema>;
export type StackReport = Report['stacks'][number];

export const MARKER = '<!-- scipion-stack-preview -->';
/** In bytes. GitHub refuses comments above 65536 characters, job summaries above 1 MiB. */
export const COMMENT_LIMIT = 60_000;
export const SUMMARY_LIMIT = 900_000;
/** Bytes of all texts in the JSON file. Its other side refuses a file above 16 MiB; escapes at most double a text. */
const MAX_TEXT = 4 * 2 ** 20;
/** Below this a section would show nothing of its text. */
const MIN_SECTION = 600;
const TAIL = 300;
const MAX_BASE_ERRORS = 2000;

const STATE_WORDS: Readonly<Record<StackReport['state'], string>> = {
  failed: 'fails',
  refused: 'would be refused by `pulumi up` while its instance exists',
  removed:
    'is no longer in stacks/; `npm run destroy -- --stack NAME` saves its project and removes its instance',
  uncompared: 'is not compared, since its base cannot be read',
  changed: 'changes',
  new: 'new',
  unchanged: 'does not change',
};
const COUNT_WORDS: Readonly<Record<StackReport['state'], string>> = {
  failed: 'failed',
  refused: 'refused',
  removed: 'removed',
  uncompared: 'not compared',
  changed: 'changed',
  new: 'new',
  unchanged: 'unchanged',
};
const WORST_FIRST = Object.keys(COUNT_WORDS) as StackReport['state'][];

/** No `up` of these would end well. */
export const RED: readonly StackReport['state'][] = ['failed', 'refused'];

const size = (text: string) => Buffer.byteLength(text);

/** The report as the JSON file takes it: each text no longer than a comment, all of them inside `MAX_TEXT`. */
export function boundReport(report: Report): Report {
  const share = Math.min(COMMENT_LIMIT, Math.floor(MAX_TEXT / Math.max(report.stacks.length, 1)));
  return {
    because: cutText(report.because, 400).text,
    stacks: report.stacks.map((stack) => {
      const { text, left } = cutText(withoutControls(stack.text), share);
      const { baseErrors } = stack;
      return {
        ...stack,
        stack: stack.stack.slice(0, 300),
        text,
        ...(stack.meaning === undefined
          ? {}
          : { meaning: stack.meaning.slice(0, 30).map((each) => withoutControls(each).slice(0, 1000)) }),
        ...(left > 0 ? { cut: left } : {}),
        ...(baseErrors === undefined
          ? {}
          : { baseErrors: cutText(withoutControls(baseErrors), MAX_BASE_ERRORS).text }),
      };
    }),
  };
}

/** What is known of a report besides what it says itself. */
export interface Source {
  /** That was previewed. */
  readonly commit?: string;
  /** Changed files by which such reports are made or brought to the instances. */
  readonly guards?: readonly string[];
}

/**
 * The report as Markdown of at most `limit` bytes (1500 at least), worst stacks first. Its texts appear only inside code
 * fences. Sections are whole or left out; what is left out is counted.
 */
export function toMarkdown(report: Report, limit: number, source: Source = {}): string {
  const stacks = report.stacks.toSorted((a, b) => gravityOf(a) - gravityOf(b));
  const telling = stacks.filter((stack) => stack.state !== 'unchanged' || isFlagged(stack));
  const unchanged = stacks.slice(telling.length).map((stack) => inline(stack.stack));
  const head = [
    `### Preview of the stacks${source.commit === undefined ? '' : ` at ${source.commit.slice(0, 12)}`}`,
    ...guardLines(source),
    stacks.length === 0 ? 'No stack to preview.' : `**${countsOf(stacks)}.**`,
    `Why these: ${inline(report.because)}. The manifests of the change are compared with those of its base. No credential and no cluster is used. Secrets are masked.`,
  ];
  let room = limit - size(head.join('\n\n')) - TAIL;
  const shown: string[] = [];
  for (const [index, stack] of telling.entries()) {
    const share = Math.max(MIN_SECTION, Math.floor(room / (telling.length - index)));
    const part = section(stack, Math.min(share, room));
    if (part === undefined) break;
    shown.push(part);
    room -= size(part) + 2;
  }
  const rest = telling.slice(shown.length);
  const left = rest.length > 0 ? [`Not shown here: ${countsOf(rest)}.`] : [];
  const quiet = unchanged.length > 0 ? [nameSome('Unchanged', unchanged, room)] : [];
  const whole =
    left.length > 0 || quiet.join().endsWith('more.')
      ? ['The artifact `preview` of the run has the whole report, in `preview.md`.']
      : [];
  return [...head, ...shown, ...left, ...quiet, ...whole].join('\n\n');
}

const MAX_GUARDS = 10;

/** Whoever changes what makes the report can make it say anything. */
function guardLines({ guards = [] }: Source): string[] {
  if (guards.length === 0) return [];
  const named = guards
    .slice(0, MAX_GUARDS)
    .map((file) => inline(file.slice(0, 200)))
    .join(', ');
  const more = guards.length > MAX_GUARDS ? ` and ${guards.length - MAX_GUARDS} more` : '';
  return [
    `**Look first:** this change touches what makes such reports or brings changes to the instances: ${named}${more}. What follows may say anything.`,
  ];
}

/** What ends an instance or cannot be done: before what is flagged. */
const GRAVE: readonly (string | undefined)[] = ['refused', 'removes', 'replaces', 'ends the session'];

/** Less is worse: what cannot be done or ends an instance, what is flagged, then by what an `up` means for the user. */
function gravityOf(stack: StackReport): number {
  const { state, gravest } = stack;
  const isFirst = RED.includes(state) || state === 'removed' || GRAVE.includes(gravest);
  const group = isFirst ? 0 : isFlagged(stack) ? 1 : 2;
  const kind = (GRAVITY as readonly string[]).indexOf(gravest ?? '');
  const within = (kind === -1 ? GRAVITY.length : kind) / (GRAVITY.length + 1);
  return group * WORST_FIRST.length + WORST_FIRST.indexOf(state) + within;
}

/** `200 stacks: 2 failed, 3 changed, 195 unchanged` */
function countsOf(stacks: readonly StackReport[]): string {
  const counts = WORST_FIRST.flatMap((state) => {
    const count = stacks.filter((stack) => stack.state === state).length;
    return count > 0 ? [`${count} ${COUNT_WORDS[state]}`] : [];
  });
  const flagged = stacks.filter(isFlagged).length;
  return `${stacks.length} ${stacks.length === 1 ? 'stack' : 'stacks'}: ${counts.join(', ')}${flagged > 0 ? `; ${flagged} flagged` : ''}`;
}

/** As many names as `room` bytes take; the others are counted. */
function nameSome(title: string, names: readonly string[], room: number): string {
  let used = 0;
  const named = names.filter((name) => {
    used += size(name) + 2;
    return used <= room;
  });
  const more = names.length - named.length;
  if (more === 0) return `${title}: ${named.join(', ')}.`;
  return named.length === 0 ? `${title}: ${more} more.` : `${title}: ${named.join(', ')} and ${more} more.`;
}

/** Undefined when not even its title fits into `limit` bytes. */
function section(stack: StackReport, limit: number): string | undefined {
  const title = `#### ${inline(stack.stack)}: ${STATE_WORDS[stack.state]}`;
  const facts = [
    ...(stack.resources > 0 ? [`${stack.resources} resources.`] : []),
    ...(stack.placeholders.length > 0
      ? [`Not at hand here, so dummies: ${stack.placeholders.map(inline).join(', ')}.`]
      : []),
  ].join(' ');
  const head = [title, ...(stack.flags ?? []).map(flagLine), facts, meaningLines(stack)]
    .filter((part) => part !== '')
    .join('\n\n');
  if (size(head) > limit) return undefined;
  const parts = [head];
  let room = limit - size(head);
  for (const { share = 1, ...text } of textsOf(stack)) {
    const part =
      fenced(text, Math.floor(room * share) - 2) ??
      `Not shown here: ${text.text.length + text.cut} characters.`;
    room -= size(part) + 2;
    if (room < 0) return undefined;
    parts.push(part);
  }
  return parts.join('\n\n');
}

/** The sentences hold values of the change. */
const meaningLines = ({ meaning = [] }: StackReport) =>
  meaning.length === 0 ? '' : `An \`up\`:\n\n${meaning.map((text) => `- ${inline(text)}`).join('\n')}`;

const isFlagged = ({ flags = [] }: StackReport) => flags.length > 0;

function flagLine({ kind, with: others, more }: Flag): string {
  const names = `${others.map(inline).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  switch (kind) {
    case 'namespace':
      return `**Flagged:** the same namespace as ${names}. Expected: a namespace of its own.`;
    case 'projectSpace':
      return `**Flagged:** the same project space as ${names}. Expected: a project space of its own.`;
    case 'unseen':
      return `**Flagged:** changes ${names}, which no manifest shows: what they do is not known here. Expected: somebody who knows has looked at them.`;
    case 'discards':
      return '**Flagged:** `scipion:discardUnsavedChanges` is true. A removal continues even where the last work is not saved. That work is lost.';
  }
}

export interface Fenced {
  readonly title: string;
  readonly language: string;
  readonly text: string;
  readonly cut: number;
}

/** What a section shows in fences; `share` is the part of the room that is left. */
function textsOf({ state, text, cut = 0, baseErrors = '' }: StackReport): (Fenced & { share?: number })[] {
  const language = state === 'changed' || state === 'refused' ? 'diff' : state === 'failed' ? 'text' : 'yaml';
  const title = state === 'failed' ? 'Errors' : 'Manifests';
  return [
    { title: 'Why the base cannot be read', language: 'text', text: baseErrors, cut: 0, share: 0.5 },
    { title, language, text, cut },
  ].filter((part) => part.text.trim() !== '');
}

/**
 * Text of a pull request may hold anything; in a fence longer than any of its own it is only text.
 * Undefined when nothing of it fits into `limit` bytes.
 */
export function fenced({ title, language, text, cut }: Fenced, limit: number): string | undefined {
  const clean = withoutControls(text);
  const longest = Math.max(2, ...[...clean.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  const opening = `<details><summary>${title}</summary>\n\n${fence}${language}\n`;
  const closing = `\n${fence}\n\n</details>`;
  const room = limit - size(opening) - size(closing);
  const whole = cut === 0 && size(clean) <= room;
  const kept = whole ? { text: clean, left: 0 } : cutText(clean, room - 40);
  if (kept.text === '') return undefined;
  const more = kept.left + cut > 0 ? `\n… ${kept.left + cut} more characters` : '';
  return `${opening}${kept.text.trimEnd()}${more}${closing}`;
}

/** The first `bytes` bytes of a text, and how many characters are left out. */
function cutText(text: string, bytes: number): { readonly text: string; readonly left: number } {
  if (size(text) <= bytes) return { text, left: 0 };
  const start = Buffer.from(text).subarray(0, Math.max(bytes, 0));
  // A character that the cut goes through is left out.
  const kept = start.toString().replace(/\ufffd+$/, '');
  return { text: kept, left: text.length - kept.length };
}

/** As code: names cannot mention people, link or break out. */
export function inline(text: string): string {
  return `\`${withoutControls(text).replaceAll('`', "'").replaceAll('\n', ' ')}\``;
}

/** Without terminal colours, control characters and marks that turn the direction of text. */
function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\n' || character === '\t' ? character : '',
  );
}
