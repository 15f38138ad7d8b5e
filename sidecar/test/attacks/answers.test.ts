import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { FaultRule } from '../../../local/onedata/faults.ts';
import { contentOf } from '../../src/sync/spaces/space.ts';
import { ANSWERS, GROUPS, HARMLESS } from './answers.ts';
import { expectSource, fillSource, goodOf, handOver, makeGood } from './good-files.ts';
import { emulator, type Instance, World } from './harness.ts';
import { attack, type Row } from './rows.ts';

interface AnswerRow extends Row {
  readonly answers: readonly string[];
}

const ALL = Object.keys(ANSWERS);
/** Each for a file of its own. */
const GROUPED: readonly AnswerRow[] = GROUPS.map(([group, answers]) => ({
  name: `answers: ${group}`,
  answers,
}));
const SINGLE: readonly AnswerRow[] = ALL.map((name) => ({ name: `answer: ${name}`, answers: [name] }));
const ONE_FILE: readonly AnswerRow[] = [...GROUPED, ...SINGLE.map((row) => ({ ...row, isPart: true }))];
/** Uploads wait in a folder of the engine: these words may speak of it, and so of all uploads. */
const OF_THE_FOLDER =
  /^(posix (enoent|enotdir|eisdir|eexist|enametoolong|erofs|enospc|edquot)|404 notFound)$/;
const UPLOADS: readonly AnswerRow[] = [
  ...ONE_FILE.map((row) => ({
    ...row,
    answers: row.answers.filter((each) => !OF_THE_FOLDER.test(each)),
  })).filter(({ answers }) => answers.length > 0),
  ...ALL.filter((name) => OF_THE_FOLDER.test(name)).map((name) => ({
    name: `an upload answered by ${name}`,
    answers: [name],
    fails: 'what may speak of the folder of all uploads, or of no room, stops the save of all',
  })),
];
const rest = (rows: readonly AnswerRow[]) => rows.map((row) => ({ ...row, kinds: ['rest'] as const }));

/** A good file lies between any two: where nothing at all comes through, it is no longer about single files. */
const number = (answer: string) => `f${String(ALL.indexOf(answer)).padStart(3, '0')}`;
const fileOf = (answer: string) => `${number(answer)} odd ${answer.replaceAll('/', ' ')}`;
const goodBeside = (answer: string) => `${number(answer)} beside`;
const action = (answer: string) => ANSWERS[answer] as FaultRule['action'];
const isNamed = (answers: readonly string[]) => answers.filter((answer) => !HARMLESS.has(answer)).map(fileOf);

/** Puts rules into the emulator while `work` runs. @returns their hits */
async function withRules<T>(rules: readonly FaultRule[], work: () => Promise<T>): Promise<T> {
  const { faults } = (await emulator()).standIn.context;
  const ids = rules.map((rule) => faults.add(rule));
  try {
    return await work();
  } finally {
    for (const id of ids) faults.remove(id);
  }
}

/** The names that status has of files with a problem, out of those that are odd. */
async function namedIn(instance: Instance): Promise<string[]> {
  const status = (await instance.status()) as { fileProblems?: { items: { path: string }[] } } | null;
  const paths = status?.fileProblems?.items.map(({ path }) => path.slice(path.lastIndexOf('/') + 1)) ?? [];
  return paths.sort();
}

const contentRules = (ids: readonly (readonly [string, string])[]): FaultRule[] =>
  ids.map(([answer, id]) => ({ method: 'GET', path: `/data/${id}/content`, action: action(answer) }));

async function staged({ answers }: AnswerRow): Promise<void> {
  const world = await World.make('rest');
  try {
    await fillSource(world.spaces.source);
    const ids: [string, string][] = [];
    for (const answer of answers) {
      const { id } = await world.spaces.source.write(
        `n/${fileOf(answer)}`,
        contentOf(`content for ${answer}`),
      );
      ids.push([answer, id]);
      await world.spaces.source.write(`n/${goodBeside(answer)}`, contentOf('good'));
    }
    const one = await world.instance();
    await withRules(contentRules(ids), async () => {
      one.launch();
      await one.ready();
      expectSource(one);
      expect(await namedIn(one), 'the files that status names').toEqual(isNamed(answers).sort());
    });
    const refreshed = await one.command('refresh');
    expect({ code: refreshed.code, said: refreshed.err }, 'later all of them come').toEqual({
      code: 0,
      said: '',
    });
    expect(await namedIn(one)).toEqual([]);
    await one.stop();
  } finally {
    await world.dispose();
  }
}
attack('answers to the download of one source file', rest(ONE_FILE), staged);

async function restored({ answers }: AnswerRow): Promise<void> {
  const world = await World.make('rest');
  try {
    await fillSource(world.spaces.source);
    const one = await world.instance();
    one.launch();
    await one.ready();
    makeGood(one.data);
    for (const answer of answers) {
      writeFileSync(join(one.data, 'p', fileOf(answer)), `content for ${answer}`);
      writeFileSync(join(one.data, 'p', goodBeside(answer)), 'good');
    }
    handOver(join(one.data, 'p'));
    expect((await one.command('drain')).code).toBe(0);
    await one.stop();
    const ids: [string, string][] = [];
    for (const answer of answers)
      ids.push([answer, String((await world.spaces.project.stat({ path: `p/${fileOf(answer)}` }))?.id)]);
    const two = await world.instance('lab/bob');
    await withRules(contentRules(ids), async () => {
      two.launch();
      await two.readyWithout(isNamed(answers).length);
    });
    expect(goodOf(two.data), 'all others come back').toEqual(goodOf(one.data));
    expect(await namedIn(two), 'the files that status names').toEqual(isNamed(answers).sort());
    const drained = await two.command('drain');
    expect([0, 3], drained.err).toContain(drained.code);
    await two.stop();
    // What could not be read is not lost.
    const three = await world.instance('lab/carol');
    three.launch();
    await three.ready();
    for (const answer of answers)
      expect(await world.spaces.project.stat({ path: `p/${fileOf(answer)}` }), answer).not.toBe(null);
    await three.stop();
  } finally {
    await world.dispose();
  }
}
attack('answers to the download of one project file', rest(ONE_FILE), restored);

async function saved({ answers }: AnswerRow): Promise<void> {
  const world = await World.make('rest');
  try {
    await fillSource(world.spaces.source);
    const one = await world.instance();
    one.launch();
    await one.ready();
    makeGood(one.data);
    // No other upload has their sizes.
    const size = (answer: string) => 30_011 + ALL.indexOf(answer);
    for (const answer of answers) {
      writeFileSync(join(one.data, 'p', fileOf(answer)), Buffer.alloc(size(answer), answer));
      writeFileSync(join(one.data, 'p', goodBeside(answer)), 'good');
    }
    handOver(join(one.data, 'p'));
    const rules = answers.map((answer) => ({
      method: 'PUT',
      path: '.',
      bodyBytes: size(answer),
      action: action(answer),
    }));
    await withRules(rules, async () => {
      const { err } = await one.command('save');
      const named = await namedIn(one);
      // What the server has done although its answer was lost may be found out.
      expect(isNamed(answers), `status names ${named.join()}: ${err}`).toEqual(expect.arrayContaining(named));
      const inSpace = await world.spaces.project.stat({ path: 'p/z/deep/last' });
      expect(inSpace, `the others are saved: ${err}`).not.toBe(null);
      const left = answers.filter((answer) => !named.includes(fileOf(answer)));
      for (const answer of left)
        expect(
          await world.spaces.project.stat({ path: `p/${fileOf(answer)}` }),
          `${answer} is named or saved`,
        ).not.toBe(null);
    });
    const drained = await one.command('drain');
    expect({ code: drained.code, said: drained.err }, 'later all are saved').toEqual({ code: 0, said: '' });
    await one.stop();
    const two = await world.instance('lab/bob');
    two.launch();
    await two.ready();
    expect(goodOf(two.data)).toEqual(goodOf(one.data));
    await two.stop();
  } finally {
    await world.dispose();
  }
}
attack('answers to the upload of one file', rest(UPLOADS), saved);

/** All requests are answered so for a while. Nothing is lost, and all goes on by itself. */
async function forAll({ answers: [answer = ''] }: AnswerRow): Promise<void> {
  const world = await World.make('rest');
  try {
    await fillSource(world.spaces.source);
    const one = await world.instance();
    one.launch();
    await one.ready();
    makeGood(one.data);
    expect((await one.command('save')).code).toBe(0);
    await one.stop();
    rmSync(one.paths.ready, { force: true });
    writeFileSync(join(one.data, 'p/unsaved'), 'not saved yet');
    handOver(join(one.data, 'p/unsaved'));
    const good = goodOf(one.data);
    const rules = Object.values(world.ids).map((space) => ({ space, action: action(answer) }));
    await withRules(rules, async () => {
      one.launch();
      await one.until('its first status', () => true);
      await sleep(4_000);
      expect(await one.status(), 'it answers').not.toBe(null);
    });
    await one.ready();
    expect(goodOf(one.data), 'nothing is lost on the volume').toEqual(good);
    writeFileSync(join(one.data, 'p/more'), 'more work');
    handOver(join(one.data, 'p/more'));
    await withRules(rules, async () => {
      const saving = one.command('save');
      await Promise.race([saving, sleep(4_000)]);
      saving.catch(() => undefined);
    });
    const drained = await one.command('drain');
    expect({ code: drained.code, said: drained.err }).toEqual({ code: 0, said: '' });
    await one.stop();
    const two = await world.instance('lab/bob');
    two.launch();
    await two.ready();
    expect(goodOf(two.data)).toEqual(goodOf(one.data));
    await two.stop();
  } finally {
    await world.dispose();
  }
}
attack('answers to all requests for a while', rest(SINGLE), forAll);
