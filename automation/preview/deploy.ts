#!/usr/bin/env node
import { Command } from 'commander';
import { EngineError } from '../recording/protocol.ts';
import { interruptible } from '../tools/interrupt.ts';
import { ignoreClosedOutput, runCommand, writeSummary } from './command.ts';
import { findDrift } from './drift.ts';
import { findAll } from './find-changed.ts';
import { foreignIn } from './live-objects.ts';
import { type Pulumi, pulumiIn } from './pulumi.ts';
import { fenced, inline, SUMMARY_LIMIT } from './report.ts';
import { type Outcome, rollOut } from './rollout.ts';

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

/** A stack file whose stack was not made yet. */
const NO_STATE = 'not made yet';

const limitOf = (text: string): number => {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100) return limit;
  throw new EngineError(`--limit: found ${JSON.stringify(text)}; expected a whole number from 1 to 100.`);
};

/** What is in `stacks/` and in the backend: each without the other is a person's to look at. */
async function findStacks(pulumi: Pulumi) {
  const [{ existing, refused }, known] = [await findAll(), await pulumi.stacks()];
  const names = known.map(({ name }) => name);
  if (existing.length > 0 && !existing.some((stack) => names.includes(stack)))
    throw new EngineError(
      `none of the ${existing.length} stacks of stacks/ is in this backend. Expected: the backend where their states are, by PULUMI_BACKEND_URL or backend.url of Pulumi.yaml.`,
    );
  const gone = known.filter(({ name, hasResources }) => hasResources && !existing.includes(name));
  const left: Line[] = [
    ...existing
      .filter((stack) => !names.includes(stack))
      .map((stack) => ({
        stack,
        state: NO_STATE,
        text: `make it, with its secrets: pulumi stack init ${stack}`,
      })),
    ...gone.map(({ name }) => ({
      stack: name,
      state: 'left alone',
      text: 'its file is gone; npm run destroy saves its project and removes its instance',
    })),
    ...refused.map((stack) => ({ stack, state: 'left alone', text: 'its name is not allowed' })),
  ];
  return { stacks: existing.filter((stack) => names.includes(stack)), left };
}

async function rollout(options: { limit: string }): Promise<void> {
  const limit = limitOf(options.limit);
  const pulumi = pulumiIn({ directory: '.' });
  const { stacks, left } = await findStacks(pulumi);
  const { outcome: ended, interrupts } = await interruptible(
    (signal) =>
      rollOut(stacks, pulumi, {
        limit,
        signal,
        onOutcome: ({ stack, outcome }) => process.stderr.write(`${stack}: ${outcome}\n`),
      }),
    (text) => process.stderr.write(`${text}\n`),
  );
  if (ended.status === 'rejected') throw ended.reason;
  const outcomes = ended.value;
  const lines: Line[] = [
    ...outcomes.map(({ stack, outcome, text }) => ({ stack, state: outcome, text })),
    ...left,
  ];
  await writeSummary(summaryOf('Rollout', lines, ['done', 'unchanged']));
  const named = (state: Outcome) =>
    outcomes.filter(({ outcome }) => outcome === state).map(({ stack }) => stack);
  const notBegun = `${named('not begun').length} stacks were not begun`;
  if (interrupts > 0) {
    const stopped = named('interrupted');
    const middle = stopped.length > 0 ? ` in the middle of ${stopped.join(', ')}` : '';
    throw new EngineError(
      `the rollout was interrupted${middle}; ${named('done').length} were done, ${notBegun}. Run it again: it continues with what is left.`,
    );
  }
  const failed = named('failed');
  if (failed.length > 0)
    throw new EngineError(
      `the rollout stopped at ${failed.join(', ')}; ${notBegun}. The summary says why. The next rollout takes up what is left.`,
    );
}

async function drift(options: { limit: string }): Promise<void> {
  const pulumi = pulumiIn({ directory: '.' });
  const limit = limitOf(options.limit);
  const { stacks, left } = await findStacks(pulumi);
  const found: Line[] = [...(await findDrift(stacks, pulumi, foreignIn('.'), limit)), ...left];
  await writeSummary(summaryOf('Drift', found, ['as it should be']));
  const other = found.filter(({ state }) => state !== 'as it should be').length;
  if (other > 0)
    throw new EngineError(
      `${other} of ${found.length} stacks are not as they should be, or were not compared.`,
    );
}

ignoreClosedOutput();
const program = new Command('deploy').description('Pulumi on many stacks.');
program
  .command('rollout')
  .description('up of all stacks that are not as the checkout says, in waves, until the first failure')
  .option('--limit <number>', 'stacks of a wave', '5')
  .action(rollout);
program
  .command('drift')
  .description('compare every stack with its cluster, and with the checkout')
  .option('--limit <number>', 'stacks at once', '4')
  .action(drift);
await runCommand(program);
