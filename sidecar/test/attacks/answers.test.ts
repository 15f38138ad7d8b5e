import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { FaultRule } from '../../../emulators/onedata/faults.ts';
import { contentOf } from '../../src/spaces/space.ts';
import { ANSWERS, GROUPS, HARMLESS } from './answers.ts';
import { expectSource, goodOf, handOver } from './good-files.ts';
import { type Instance, sharedEmulator } from './harness.ts';
import { expectElsewhere, inWorld, opened, succeeds, withProject } from './lives.ts';
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
const rest = (rows: readonly AnswerRow[]) => rows.map((row) => ({ ...row, kinds: ['rest'] as const }));

/** A good file lies between any two: where nothing at all comes through, it is no longer about single files. */
const number = (answer: string) => `f${String(ALL.indexOf(answer)).padStart(3, '0')}`;
const fileOf = (answer: string) => `${number(answer)} odd ${answer.replaceAll('/', ' ')}`;
const goodBeside = (answer: string) => `${number(answer)} beside`;
const action = (answer: string) => ANSWERS[answer] as FaultRule['action'];
const isNamed = (answers: readonly string[]) => answers.filter((answer) => !HARMLESS.has(answer)).map(fileOf);

/** Puts rules into the emulator while `work` runs. @returns their hits */
async function withRules<T>(rules: readonly FaultRule[], work: () => Promise<T>): Promise<T> {
  const { faults } = (await sharedEmulator()).emulator.context;
  const ids = rules.map((rule) => faults.add(rule));
  try {
    return await work();
  } finally {
    for (const id of ids) faults.remove(id);
  }
}

/** It comes in bits of three bytes, and a copy goes on at the byte where it broke: it may be there in the end. */
const MAY_COME: readonly string[] = ['a body that ends early'];

/** Each file is there as it should be, or named; both is right only for some. */
async function judge(instance: Instance, folder: string, answers: readonly string[]): Promise<void> {
  const named = await namedIn(instance);
  const come = MAY_COME.filter((each) => answers.includes(each) && !named.includes(fileOf(each)));
  const expected = isNamed(answers.filter((each) => !come.includes(each)));
  expect(named, 'the files that status names').toEqual(expected.sort());
  for (const each of come)
    expect(readFileSync(join(folder, fileOf(each)), 'utf8')).toBe(`content for ${each}`);
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
  await inWorld('rest', async (world) => {
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
      await judge(one, join(one.sourceData, 'n'), answers);
    });
    await succeeds(one, 'refresh', 'later all of them come');
    expect(await namedIn(one)).toEqual([]);
    await one.stop();
  });
}
attack('answers to the download of one source file', rest(ONE_FILE), staged);

async function restored({ answers }: AnswerRow): Promise<void> {
  await inWorld('rest', async (world) => {
    const one = await withProject(world);
    for (const answer of answers) {
      writeFileSync(join(one.data, 'p', fileOf(answer)), `content for ${answer}`);
      writeFileSync(join(one.data, 'p', goodBeside(answer)), 'good');
    }
    handOver(join(one.data, 'p'));
    await succeeds(one, 'drain');
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
    await judge(two, join(two.data, 'p'), answers);
    const drained = await two.command('drain');
    expect([0, 3], drained.err).toContain(drained.code);
    await two.stop();
    // What could not be read is not lost.
    const three = await opened(world, 'lab/carol');
    for (const answer of answers)
      expect(await world.spaces.project.stat({ path: `p/${fileOf(answer)}` }), answer).not.toBe(null);
    await three.stop();
  });
}
attack('answers to the download of one project file', rest(ONE_FILE), restored);

async function saved({ answers }: AnswerRow): Promise<void> {
  await inWorld('rest', async (world) => {
    const one = await withProject(world);
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
    await succeeds(one, 'drain', 'later all are saved');
    await one.stop();
    await expectElsewhere(world, goodOf(one.data));
  });
}
attack('answers to the upload of one file', rest(ONE_FILE), saved);

/** All requests are answered so for a while. Nothing is lost, and all continues automatically. */
async function forAll({ answers: [answer = ''] }: AnswerRow): Promise<void> {
  await inWorld('rest', async (world) => {
    const one = await withProject(world);
    await succeeds(one, 'save');
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
    await succeeds(one, 'drain');
    await one.stop();
    await expectElsewhere(world, goodOf(one.data));
  });
}
attack('answers to all requests for a while', rest(SINGLE), forAll);
