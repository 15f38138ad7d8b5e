import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type ProgramRun, ProgramWorkers, reveal, runProgram } from '../../automation/recording/index.ts';
import { runInstance } from '../helpers/program.ts';
import { programDirectory, TOKEN } from './programs.ts';

const runMany = (
  stack: string,
  way: string,
  options: { workers?: ProgramWorkers; signal?: AbortSignal } = {},
) =>
  runProgram({
    directory: programDirectory('many'),
    stack,
    dryRun: true,
    config: { way },
    secretConfig: { token: `${TOKEN}-${stack}` },
    ...options,
  });

/** All that a run says, whatever came first of what has no order. */
const told = ({ registrations, outputs, ...run }: ProgramRun) => ({
  ...run,
  outputs: reveal(outputs),
  registrations: registrations
    .map(({ inputs, outputs: answered, ...rest }) => ({
      ...rest,
      inputs: reveal(inputs),
      outputs: reveal(answered),
    }))
    .toSorted((left, right) => (left.urn < right.urn ? -1 : 1)),
});

const children = () =>
  execFileSync('ps', ['--ppid', `${process.pid}`, '-o', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('automation/recording/worker.ts'));

test('many stacks in one process are recorded as in a process of their own, whatever one of them does', async () => {
  const ways = ['none', 'prints', 'refuses', 'none', 'throws', 'exits', 'rejects', 'later', 'none'];
  await using workers = new ProgramWorkers();
  for (const [number, way] of ways.entries()) {
    const alone = await runMany(`s${number}`, way);
    expect(told(await runMany(`s${number}`, way, { workers })), way).toEqual(told(alone));
  }
  expect(children().length).toBeLessThanOrEqual(1);
}, 240_000);

test('a run in a worker that lasts too long is stopped, and the next one is right', async () => {
  await using workers = new ProgramWorkers();
  for (const way of ['spins', 'never']) {
    const signal = AbortSignal.timeout(4000);
    await expect(runMany('slow', way, { workers, signal })).rejects.toThrow();
    expect(signal.aborted).toBe(true);
  }
  expect((await runMany('next', 'none', { workers })).errors).toEqual([]);
}, 120_000);

test('nothing of a stack reaches the next through a worker, nor stays when it is no longer wanted', async () => {
  {
    await using workers = new ProgramWorkers();
    for (const stack of ['a', 'b', 'c']) {
      const run = await runMany(stack, 'none', { workers });
      const first = run.registrations.find(({ name }) => name === 'first');
      expect(reveal(first?.inputs ?? null)).toMatchObject({ data: { names: stack, seen: stack } });
    }
    expect(children()).toHaveLength(1);
  }
  expect(children()).toEqual([]);
}, 120_000);

test('variants of this program are the same through one worker, byte for byte', async () => {
  await using workers = new ProgramWorkers();
  const variants = [
    { config: { memory: '8Gi' } },
    {
      config: { createNamespace: false, sourceMount: 'claim/data' },
      secretConfig: { desktopPassword: 'x'.repeat(20) },
    },
    { config: { memroy: '8Gi' } },
    {},
  ].map(({ config = {}, ...rest }, number) => ({
    ...rest,
    stack: `jane${number}`,
    directory: fileURLToPath(new URL('../../', import.meta.url)),
    config: Object.fromEntries(Object.entries(config).map(([key, value]) => [`scipion:${key}`, value])),
    dryRun: true,
  }));
  for (const variant of variants) {
    const alone = told(await runInstance(variant));
    expect(told(await runInstance({ ...variant, workers }))).toEqual(alone);
  }
}, 240_000);
