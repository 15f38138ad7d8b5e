#!/usr/bin/env node
import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { EngineError } from '../recording/index.ts';
import { isGuard } from './changed-stacks.ts';
import { ignoreClosedOutput, runCommand, writeSummary } from './command.ts';
import { findChanged } from './find-changed.ts';
import { changedFiles, findPullRequest, putComment, workflowRunSchema } from './github.ts';
import { previewStacks } from './preview-stacks.ts';
import {
  boundReport,
  COMMENT_LIMIT,
  RED,
  type Report,
  reportSchema,
  SUMMARY_LIMIT,
  toMarkdown,
} from './report.ts';

/** Previews of stacks in pull requests, as .github/workflows/preview.yml and preview-comment.yml call them. */

const MAX_ARTIFACT_BYTES = 16 * 2 ** 20;

/** Prints `{"stacks":[…],"removed":[…],"because":"…"}`, on one line for GITHUB_OUTPUT. */
async function printStacks(options: { base: string }): Promise<void> {
  process.stdout.write(`${JSON.stringify(await findChanged(options.base))}\n`);
}

async function writeReport(options: {
  base: string;
  baseDirectory?: string;
  out: string;
  whole?: string;
}): Promise<void> {
  const changed = await findChanged(options.base);
  const stacks = await previewStacks(changed, '.', options.baseDirectory);
  const report: Report = { because: changed.because, stacks };
  await writeFile(options.out, JSON.stringify(boundReport(report)));
  if (options.whole !== undefined)
    await writeFile(options.whole, `${toMarkdown(report, Number.POSITIVE_INFINITY)}\n`);
  const summary = toMarkdown(report, SUMMARY_LIMIT);
  await writeSummary(summary);
  const failed = stacks.filter(({ state }) => RED.includes(state)).map(({ stack }) => stack);
  if (failed.length > 0) {
    // Quoted, since a name may hold a line that GitHub takes for a command.
    const names = failed
      .slice(0, 10)
      .map((name) => (/^[\w.-]{1,100}$/.test(name) ? name : JSON.stringify(name)));
    const more = failed.length > 10 ? ` and ${failed.length - 10} more` : '';
    throw new EngineError(
      `the preview of ${names.join(', ')}${more} ${failed.length === 1 ? 'fails or is refused' : 'fail or are refused'}; the summary says why.`,
    );
  }
}

/** The artifact comes from code of the change: it is parsed, bounded and quoted, never run or believed. */
async function comment(options: { report: string }): Promise<void> {
  const variable = (name: string) => {
    const value = process.env[name];
    if (!value) throw new EngineError(`${name} is not set. Expected: a run inside GitHub Actions.`);
    return value;
  };
  const event = workflowRunSchema.parse(JSON.parse(await readFile(variable('GITHUB_EVENT_PATH'), 'utf8')));
  const github = {
    api: process.env.GITHUB_API_URL ?? 'https://api.github.com',
    repository: variable('GITHUB_REPOSITORY'),
    token: variable('GITHUB_TOKEN'),
  };
  const pullRequest = await findPullRequest(github, event.workflow_run);
  if (pullRequest === undefined) {
    process.stdout.write('The pull request has moved on or is closed; nothing to comment.\n');
    return;
  }
  const { head_sha: commit, html_url: address = '' } = event.workflow_run;
  const report = await readReport(options.report);
  if (report === undefined) {
    await putComment(github, pullRequest, noReport(commit, address));
    return;
  }
  const guards = (await changedFiles(github, pullRequest)).filter(isGuard);
  await putComment(github, pullRequest, toMarkdown(report, COMMENT_LIMIT, { commit, guards }));
}

/** undefined: the run has left none. */
async function readReport(path: string): Promise<Report | undefined> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  if (bytes.length > MAX_ARTIFACT_BYTES) throw new EngineError(`${path} is larger than any report.`);
  return reportSchema.parse(JSON.parse(bytes.toString('utf8')));
}

/** In place of the report of an earlier commit, which would be taken for this one's. */
const noReport = (commit: string, address: string) =>
  `### Preview of the stacks at ${commit.slice(0, 12)}\n\n**There is none:** the run ended before it had written its report. Its log says why${address === '' ? '' : `: ${address}`}.`;

ignoreClosedOutput();

const program = new Command('preview').description('Previews the stacks that a change concerns.');
program
  .command('stacks')
  .description('print which stacks the change concerns')
  .requiredOption('--base <commit>', 'what the change is against')
  .action(printStacks);
program
  .command('report')
  .description('preview them without credentials; summary and a JSON file')
  .requiredOption('--base <commit>', 'what the change is against')
  .option(
    '--base-directory <folder>',
    'the base checked out, with its packages; without it nothing is compared',
  )
  .requiredOption('--out <file>', 'the JSON file')
  .option('--whole <file>', 'the whole report as Markdown')
  .action(writeReport);
program
  .command('comment')
  .description('write the report of another workflow run as a comment')
  .requiredOption('--report <file>', 'the JSON file')
  .action(comment);

await runCommand(program);
