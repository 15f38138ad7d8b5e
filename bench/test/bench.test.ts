import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { measure } from '../lib/measure.ts';
import { growthPlot } from '../lib/plots.ts';
import { publish, readResults } from '../lib/report.ts';
import { type CaseResult, isMet, type Results, withCase } from '../lib/results.ts';
import { summarise } from '../lib/statistics.ts';
import { SILENT } from '../lib/teller.ts';
import { Engine } from '../sync/engine.ts';
import { runSync } from '../sync/run.ts';
import { Server } from '../sync/server.ts';
import { later, slowLink } from '../sync/slow-link.ts';
import { THREAD_CASES } from '../sync/thread-cases.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bench-test-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The cases that need neither a network nor a program that must be built. */
async function run(only: readonly string[]): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  await runSync({
    scale: 'tiny',
    only,
    repeats: 2,
    directory: join(directory, 'data'),
    teller: SILENT,
    onResult: async (result) => {
      results.push(result);
    },
  });
  return results;
}

// A dozen processes each: on a machine that builds something else they take minutes.
describe('a run of the benchmark', { timeout: 300_000 }, () => {
  test('measures every competitor as often as asked, and leaves nothing behind', async () => {
    const [autosave] = await run(['autosave']);
    const counts = autosave?.series.map(({ name, runs }) => [name, runs.length]);
    expect(counts).toEqual([
      ['scan', 2],
      ['autosave', 2],
      ['rsync', 2],
      ['find', 2],
      ['changed-ours', 2],
      ['changed-rsync', 2],
    ]);
    for (const { runs, isOurs } of autosave?.series ?? []) {
      for (const { seconds, peakBytes } of runs) {
        expect(seconds).toBeGreaterThan(0);
        if (isOurs) expect(peakBytes).toBeGreaterThan(2 ** 20);
      }
    }
    expect(await readdir(join(directory, 'data'))).toEqual([]);
  });

  test('copies over REST what the server holds, and counts the requests', async () => {
    const [large] = await run(['stage-in-large']);
    const ours = large?.series.find(({ isOurs }) => isOurs);
    expect(ours?.runs.every(({ requests }) => requests !== null && requests > 4)).toBe(true);
  });

  test('copies the same with and without a thread for its connections', async () => {
    const results: CaseResult[] = [];
    await runSync({
      cases: THREAD_CASES,
      scale: 'tiny',
      only: [],
      repeats: 1,
      directory: join(directory, 'data'),
      teller: SILENT,
      onResult: async (result) => void results.push(result),
    });
    expect(results.map(({ name }) => name)).toEqual(THREAD_CASES.map(({ name }) => name));
    for (const { name, series } of results) {
      const [thread, pool] = series.map(({ runs }) => runs[0]);
      expect(thread?.requests, name).toBeGreaterThan(1);
      // The same work by the same requests: only who makes them differs.
      expect(pool?.requests, name).toBe(thread?.requests);
    }
  });

  test('refuses a case that it does not know, with those that there are', async () => {
    await expect(run(['nothing'])).rejects.toThrow('there is no case "nothing"; there are: stage-in-small');
  });
});

test('the engine without a thread for its connections starts none', async () => {
  const programs = await Promise.all(
    (['as it is', 'pool'] as const).map(async (variant) => {
      await Engine.build(join(directory, variant), variant);
      return readFile(join(directory, variant, 'engine-process.js'), 'utf8');
    }),
  );
  expect(programs.map((program) => program.includes('startThread("http-thread"'))).toEqual([true, false]);
});

test('a command that fails is no measurement, and its last words are told', async () => {
  const failing = measure({ file: 'sh', arguments: ['-c', 'echo no room >&2; exit 3'] });
  await expect(failing).rejects.toThrow(/ended with 3; it said:\nno room/);
});

test('the memory of children counts', async () => {
  const alone = await measure({ file: 'sleep', arguments: ['0.3'] });
  const family = await measure({ file: 'sh', arguments: ['-c', 'sleep 0.3 & sleep 0.3; wait'] });
  expect(family.peakBytes).toBeGreaterThan(alone.peakBytes ?? 0);
});

test('a slow link passes on every byte in order', async () => {
  const server = await Server.start(join(directory, 'onedata'));
  const link = await slowLink({ port: server.started.port, roundTripMs: 4, bytesPerSecond: 50e6 });
  try {
    const spec = server.spec('x', link.port);
    const out = join(directory, 'configuration');
    const host = spec.kind === 'onedata' ? spec.host : '';
    const url = `https://${host}/api/v3/oneprovider/configuration`;
    await measure({
      file: 'curl',
      arguments: [
        '-sSf',
        '--cacert',
        server.started.authorityFile,
        '--resolve',
        `${host}:127.0.0.1`,
        '-o',
        out,
        url,
      ],
    });
    expect(JSON.parse(await readFile(out, 'utf8'))).toHaveProperty('version');
  } finally {
    await link.close();
    await server.close();
  }
});

test('a way of a slow link ends once, also on a machine too busy for its timers', async () => {
  const way = later({ port: 0, roundTripMs: 2 });
  const errors: unknown[] = [];
  way.on('error', (error) => errors.push(error));
  way.write('x');
  // The chunk is due, and the timer that would say so has not run.
  for (const until = performance.now() + 5; performance.now() < until; );
  way.end();
  await delay(20);
  way.resume();
  await delay(20);
  expect(errors).toEqual([]);
  expect(way.readableEnded).toBe(true);
});

describe('results', () => {
  const run = (seconds: number) => ({ seconds, peakBytes: 1, requests: null, cpuSeconds: null, load: 1 });
  const result = (name: string): CaseResult => ({
    name,
    title: `Case <${name}>`,
    setup: 'made up',
    scale: 'tiny',
    measuredAt: '2026-01-01 00:00 UTC',
    machine: { cores: 2, processor: 'p', memoryGiB: 1, kernel: 'k', disk: 'd', node: 'v24' },
    series: [{ name: 'ours', label: 'ours', isOurs: true, runs: [run(3), run(1), run(2)] }],
    targets: [{ text: 'ratio', measured: 0.4, limit: 0.5, sense: 'at least', unit: '×' }],
    growth: [],
  });

  test('the median is the middle one, or between the two in the middle', () => {
    expect(summarise([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
    expect(summarise([4, 1, 2, 3]).median).toBe(2.5);
    expect(() => summarise([])).toThrow(RangeError);
  });

  test('a target is met on its limit and on the right side of it', () => {
    const target = { text: '', unit: '×', limit: 1 } as const;
    expect(isMet({ ...target, measured: 1, sense: 'at most' })).toBe(true);
    expect(isMet({ ...target, measured: 1.01, sense: 'at most' })).toBe(false);
    expect(isMet({ ...target, measured: 0.99, sense: 'at least' })).toBe(false);
  });

  test('a case is shown once, beside what the page says besides', async () => {
    const places = {
      resultsFile: join(directory, 'results.json'),
      page: join(directory, 'page.md'),
      plots: join(directory, 'plots'),
      plotsLink: 'plots',
    };
    await writeFile(places.page, '# Page\n<!-- results: begin -->\nold\n<!-- results: end -->\nlast\n');
    let results: Results = { version: 1, cases: [] };
    for (const name of ['b', 'a', 'b']) results = withCase(results, result(name));
    await publish(results, places);
    const page = await readFile(places.page, 'utf8');
    expect(page.match(/^### .*/gm)).toEqual(['### Case <a>', '### Case <b>']);
    expect(page).toContain('| ours | 2 s | 1–3 |');
    expect(page).toContain('| ratio | ≥ 0.5 × | 0.4 × | **no** |');
    expect(page).toMatch(/^# Page\n[\s\S]*\nlast\n$/);
    expect(page).not.toContain('old');
    expect(await readResults(places.resultsFile)).toEqual(results);
    expect(await readFile(join(places.plots, 'a.svg'), 'utf8')).toContain('Case &#60;a&#62;');
  });

  test('a growth plot has a point for each size', () => {
    const points = [10, 100, 1000].map((files) => ({ files, value: files / 100 }));
    const svg = growthPlot({ title: 't', unit: 's', lines: [{ label: 'l', isOurs: true, points }] });
    expect(svg.match(/<circle/g)).toHaveLength(3);
  });
});
