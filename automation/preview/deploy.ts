#!/usr/bin/env node
import { Command } from 'commander';
import { EngineError } from '../recording/protocol.ts';
import { ignoreClosedOutput, runCommand, writeSummary } from './command.ts';
import { findChanged } from './find-changed.ts';
import { pulumiIn } from './pulumi.ts';
import { fenced, inline, SUMMARY_LIMIT } from './report.ts';
import { findDrift, rollOut } from './rollout.ts';

/** What .github/workflows/rollout.yml and drift.yml do with Pulumi itself, behind a protected environment. */

interface Line {
  readonly stack: string;
  readonly state: string;
  readonly text: string;
}

/** Words of Pulumi and of stack files are text only. */
function summaryOf(title: string, lines: readonly Line[], fine: readonly string[]): string {
  const counts = [...Map.groupBy(lines, ({ state }) => state)].map(
    ([state, those]) => `${those.length} ${state}`,
  );
  const worst = lines.toSorted((a, b) => Number(fine.includes(a.state)) - Number(fine.includes(b.state)));
  const share = Math.floor(SUMMARY_LIMIT / Math.max(lines.length, 1)) - 200;
  const parts = worst.map(({ stack, state, text }) => {
    const isLong = text.length > 300 || text.includes('\n');
    const details = isLong
      ? fenced({ title: 'Details', language: 'text', text, cut: 0 }, share)
      : inline(text);
    return `- ${inline(stack)}: ${state}${text === '' ? '' : isLong ? `\n\n${details}\n` : `: ${details}`}`;
  });
  const found = lines.length === 0 ? 'No stack.' : `**${lines.length} stacks: ${counts.join(', ')}.**`;
  return [`### ${title}`, found, parts.join('\n')].join('\n\n');
}

const limitOf = (text: string): number => {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100) return limit;
  throw new EngineError(`--limit: found ${JSON.stringify(text)}; expected a whole number from 1 to 100.`);
};

async function rollout(options: { base: string; limit: string }): Promise<void> {
  const limit = limitOf(options.limit);
  const changed = await findChanged(options.base);
  const outcomes = await rollOut(changed.stacks, pulumiIn({ directory: '.' }), {
    limit,
    onOutcome: ({ stack, outcome }) => process.stderr.write(`${stack}: ${outcome}\n`),
  });
  const lines: Line[] = [
    ...outcomes.map(({ stack, outcome, text }) => ({ stack, state: outcome, text })),
    ...changed.removed.map((stack) => ({
      stack,
      state: 'left alone',
      text: 'its file is gone; npm run destroy saves its project and removes its instance',
    })),
    ...changed.refused.map((stack) => ({ stack, state: 'left alone', text: 'its name is not allowed' })),
  ];
  await writeSummary(summaryOf('Rollout', lines, ['done', 'unchanged']));
  const failed = outcomes.filter(({ outcome }) => outcome === 'failed');
  if (failed.length === 0) return;
  const left = outcomes.filter(({ outcome }) => outcome === 'not begun').length;
  throw new EngineError(
    `the rollout stopped at ${failed.map(({ stack }) => stack).join(', ')}; ${left} stacks were not begun. The summary says why.`,
  );
}

async function drift(options: { limit: string }): Promise<void> {
  const { existing } = await findChanged('HEAD');
  const found = await findDrift(existing, pulumiIn({ directory: '.' }), limitOf(options.limit));
  await writeSummary(summaryOf('Drift', found, ['as it should be']));
  const other = found.filter(({ state }) => state !== 'as it should be').length;
  if (other > 0) throw new EngineError(`${other} of ${found.length} stacks drifted or were not compared.`);
}

ignoreClosedOutput();
const program = new Command('deploy').description('Pulumi on many stacks.');
program
  .command('rollout')
  .description('up of the stacks that the commits since a base concern, in waves, until the first failure')
  .requiredOption('--base <commit>', 'what was rolled out before')
  .option('--limit <number>', 'stacks of a wave', '5')
  .action(rollout);
program
  .command('drift')
  .description('compare the state of every stack with its cluster')
  .option('--limit <number>', 'stacks at once', '4')
  .action(drift);
await runCommand(program);
