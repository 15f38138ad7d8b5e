import { Listr, type ListrTask } from 'listr2';
import type { Report } from '../../automation/tools/progress.ts';

/** One step of a longer job. Steps run as soon as all of `after` have ended, so independent ones overlap. */
export interface Step {
  readonly id: string;
  /** What it does, for a newcomer. */
  readonly title: string;
  readonly after?: readonly string[];
  /** What a person can do when this step fails. */
  readonly hint?: string;
  run(report: Report): Promise<void>;
}

/** A failed step, worded for the person at the terminal. */
export class StepError extends Error {
  override readonly name = 'StepError';
}

/** Thrown inside steps whose predecessor failed; the predecessor's own error is the one that is shown. */
class SkippedError extends Error {}

/**
 * Runs all steps and shows them: live on a terminal, with elapsed time and the last thing each step said; two lines a
 * step (begin, end with its duration) where output is piped. Every step ends before this returns.
 *
 * @throws StepError naming the first step that failed, with its cause's message and what to do.
 */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  const ended = new Map<string, PromiseWithResolvers<void>>(
    steps.map((step) => [step.id, Promise.withResolvers<void>()]),
  );
  for (const { promise } of ended.values()) promise.catch(() => {}); // seen by the steps that wait for it
  let first: StepError | undefined;

  const runOne = async (step: Step, show: Display) => {
    try {
      await waitForAll(step.after ?? [], ended);
      show.begin();
      await step.run(show.report);
      show.done();
      ended.get(step.id)?.resolve();
    } catch (error) {
      ended.get(step.id)?.reject(error);
      if (error instanceof SkippedError) return show.skipped();
      first ??= describe(step, error);
      show.failed();
    }
  };

  if (process.stdout.isTTY) {
    const tasks: ListrTask[] = steps.map((step) => ({
      title: step.title,
      task: (_context, task) => runOne(step, liveDisplay(step.title, task)),
    }));
    await new Listr(tasks, { concurrent: true, exitOnError: false }).run();
  } else {
    await Promise.all(steps.map((step) => runOne(step, lineDisplay(step.title))));
  }
  if (first) throw first;
}

async function waitForAll(
  ids: readonly string[],
  ended: ReadonlyMap<string, PromiseWithResolvers<void>>,
): Promise<void> {
  for (const id of ids) {
    const predecessor = ended.get(id);
    if (!predecessor) throw new Error(`No step ${id}; there are ${[...ended.keys()].join(', ')}.`);
    try {
      await predecessor.promise;
    } catch {
      throw new SkippedError();
    }
  }
}

function describe(step: Step, error: unknown): StepError {
  const reason = error instanceof Error ? error.message : String(error);
  const hint = step.hint ? `\nWhat to do: ${step.hint}` : '';
  return new StepError(`${step.title}: failed.\n${reason}${hint}`, { cause: error });
}

/** How one step is shown. */
interface Display {
  begin(): void;
  readonly report: Report;
  done(): void;
  failed(): void;
  skipped(): void;
}

/** One line when a step begins and one when it ends: for files and pipes. */
function lineDisplay(title: string): Display {
  let begin = Date.now();
  const end = (outcome: string) => console.log(`${outcome} ${title} (${elapsed(Date.now() - begin)})`);
  return {
    begin: () => {
      begin = Date.now();
      console.log(`begin  ${title}`);
    },
    report: () => {},
    done: () => end('done  '),
    failed: () => end('FAILED'),
    skipped: () => console.log(`not run ${title}`),
  };
}

/** A spinner, the time since the step began, and the latest line, drawn each second also while nothing new is said. */
function liveDisplay(title: string, task: Parameters<ListrTask['task']>[1]): Display {
  let begin = Date.now();
  let latest = '';
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    task.output = `${elapsed(Date.now() - begin)}  ${latest}`;
  };
  const end = (suffix: string) => {
    clearInterval(timer);
    task.title = `${title} ${suffix}`;
  };
  task.title = `${title} (waits)`;
  return {
    begin: () => {
      begin = Date.now();
      task.title = title;
      timer = setInterval(draw, 1000);
      draw();
    },
    report: (line) => {
      latest = line;
      draw();
    },
    done: () => end(`(${elapsed(Date.now() - begin)})`),
    failed: () => {
      end('');
      // Marks the line as failed; runSteps reports the real error once all steps ended.
      throw new Error(`${title} failed after ${elapsed(Date.now() - begin)}`);
    },
    skipped: () => task.skip(`${title}: not reached`),
  };
}

/** `75000` → `1m15s`. */
export function elapsed(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return seconds < 60
    ? `${seconds}s`
    : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}
