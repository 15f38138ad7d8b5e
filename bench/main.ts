#!/usr/bin/env node
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { runConsoleBench } from './console/run.ts';
import { runGateway } from './gateway/run.ts';
import { publish, readResults } from './lib/report.ts';
import { type CaseResult, type Scale, withCase } from './lib/results.ts';
import { tellerTo } from './lib/teller.ts';
import { runPreviewsBench } from './program/previews.ts';
import { runProgramBench } from './program/run.ts';
import { runStartBench } from './program/start.ts';
import { CASES, runSync } from './sync/run.ts';
import { THREAD_CASES } from './sync/thread-cases.ts';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const PLACES = {
  resultsFile: join(REPOSITORY, 'bench/results.json'),
  page: join(REPOSITORY, 'docs/benchmarks.md'),
  plots: join(REPOSITORY, 'docs/images/bench'),
  plotsLink: 'images/bench',
} as const;

const program = new Command('bench').description(
  'Measures this project against what one would use without it.',
);

/** At least one; what is no number is the preset. */
function countOf(text: string, preset: number): number {
  return Math.max(1, Number.parseInt(text, 10) || preset);
}

interface EngineBench {
  readonly name: string;
  readonly description: string;
  readonly cases: typeof CASES;
  readonly repeats: number;
}

/** A command that measures the sync engine. */
function addEngineBench({ name, description, cases, repeats }: EngineBench): void {
  const command = program
    .command(name)
    .description(`${description}: ${cases.map((one) => one.name).join(', ')}`)
    .addOption(
      new Option('--scale <scale>', 'medium: a tenth of the data; small: a fiftieth')
        .choices(['tiny', 'small', 'medium', 'full'])
        .default('small'),
    )
    .option('--only <names...>', 'these cases alone', [])
    .option('--repeats <number>', 'timed runs of each competitor', `${repeats}`)
    .option('--directory <folder>', 'where the data is made and removed', tmpdir())
    .option('--publish', 'write results, plots and docs/benchmarks.md')
    .action(async () => {
      const options = command.opts<{
        scale: Scale;
        only: string[];
        repeats: string;
        directory: string;
        publish?: boolean;
      }>();
      const { scale, only, directory } = options;
      await runSync({
        cases,
        scale,
        only,
        directory,
        repeats: countOf(options.repeats, repeats),
        teller: tellerTo(process.stderr),
        onResult: (result) => report(result, options.publish === true),
      });
    });
}

addEngineBench({
  name: 'sync',
  description: 'the sync engine against rsync, rclone and curl',
  cases: CASES,
  repeats: 3,
});
addEngineBench({
  name: 'thread',
  description: 'the sync engine with its connections in a thread, and with a plain undici.Pool',
  cases: THREAD_CASES,
  repeats: 5,
});

const gateway = program
  .command('gateway')
  .description("the gateway's relay against websockify and a bare proxy of the desktop's socket")
  .option('--mebibytes <number>', 'what is sent each way', '1024')
  .option('--repeats <number>', 'timed runs of each competitor', '3')
  .option('--publish', 'write results, plots and docs/benchmarks.md')
  .action(async () => {
    const options = gateway.opts<{ mebibytes: string; repeats: string; publish?: boolean }>();
    await runGateway({
      bytes: countOf(options.mebibytes, 1024) * 2 ** 20,
      repeats: countOf(options.repeats, 3),
      teller: tellerTo(process.stderr),
      onResult: (result) => report(result, options.publish === true),
    });
  });

async function report(result: CaseResult, isPublished: boolean): Promise<void> {
  if (isPublished) await publish(withCase(await readResults(PLACES.resultsFile), result), PLACES);
  else process.stdout.write(`${JSON.stringify(result)}\n`);
}

const ofProgram = program
  .command('program')
  .description('preview and up of this program against the smallest one with as many resources')
  .option('--repeats <number>', 'timed runs of each', '3')
  .option('--directory <folder>', 'where states are made and removed', tmpdir())
  .option('--publish', 'write results, plots and docs/benchmarks.md')
  .action(async () => {
    const options = ofProgram.opts<{ repeats: string; directory: string; publish?: boolean }>();
    const results = await runProgramBench({
      repeats: countOf(options.repeats, 3),
      directory: options.directory,
      repository: REPOSITORY,
      teller: tellerTo(process.stderr),
    });
    const start = await runStartBench({
      repeats: 2 * countOf(options.repeats, 3) + 1,
      repository: REPOSITORY,
      teller: tellerTo(process.stderr),
    });
    for (const result of [...results, start]) await report(result, options.publish === true);
  });

const previews = program
  .command('previews')
  .description('previews of a pull request that changes the program of many stacks')
  .option('--stacks <number>', 'stacks that there are', '200')
  .option('--sample <number>', 'stacks rendered in processes of their own, to compare with', '6')
  .option('--directory <folder>', 'where the stacks are made and removed', tmpdir())
  .option('--publish', 'write results, plots and docs/benchmarks.md')
  .action(async () => {
    const options = previews.opts<{ stacks: string; sample: string; directory: string; publish?: boolean }>();
    const result = await runPreviewsBench({
      stacks: countOf(options.stacks, 200),
      sample: countOf(options.sample, 6),
      directory: options.directory,
      repository: REPOSITORY,
      teller: tellerTo(process.stderr),
    });
    await report(result, options.publish === true);
  });

const ofConsole = program
  .command('console')
  .description('answers and memory of the console, of which nothing is deployed')
  .option('--instances <number>', 'in the list', '500')
  .option('--operations <number>', 'under way', '20')
  .option('--requests <number>', 'of each kind', '200')
  .action(async () => {
    const options = ofConsole.opts<Record<'instances' | 'operations' | 'requests', string>>();
    await runConsoleBench(
      {
        instances: countOf(options.instances, 500),
        operations: countOf(options.operations, 20),
        requests: countOf(options.requests, 200),
      },
      (line) => process.stdout.write(`${line}\n`),
    );
  });

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = 1;
});
