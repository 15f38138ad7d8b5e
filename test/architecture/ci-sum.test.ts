import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** What stands at the end of a CI run, of which often only the end is kept. */

const ROOT = join(import.meta.dirname, '..', '..');
const SUM = join(ROOT, '.ci', 'sum.mjs');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ci-sum-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Part {
  readonly exitCode: number;
  readonly log?: string;
  readonly report?: object;
}

const GREEN = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 0,
  testResults: [
    { name: join(ROOT, 'test/good.test.ts'), status: 'passed', message: '', assertionResults: [] },
  ],
};
const ALL_GREEN: Record<string, Part> = {
  check: { exitCode: 0 },
  test: { exitCode: 0, report: GREEN },
  e2e: { exitCode: 0, report: GREEN },
};

function sumOf(parts: Record<string, Part>): { readonly lines: string[]; readonly status: number | null } {
  for (const [name, { exitCode, log = '', report }] of Object.entries(parts)) {
    writeFileSync(join(folder, `${name}.exit`), `${exitCode}\n`);
    writeFileSync(join(folder, `${name}.log`), log);
    if (report !== undefined) writeFileSync(join(folder, `${name}.json`), JSON.stringify(report));
  }
  const { stdout, status } = spawnSync(process.execPath, [SUM, folder], { cwd: ROOT, encoding: 'utf8' });
  return { lines: stdout.trim().split('\n'), status };
}

test('a run without a failure tells its counts alone', () => {
  expect(sumOf(ALL_GREEN)).toEqual({
    lines: [
      'check: 1 passed, 0 failed, 0 skipped (exit code 0)',
      'test: 3 passed, 0 failed, 1 skipped (exit code 0)',
      'e2e: 3 passed, 0 failed, 1 skipped (exit code 0)',
      '7 passed, 0 failed, 2 skipped',
    ],
    status: 0,
  });
});

test('what failed is named before the counts, with the first lines of each error and our part of its stack', () => {
  const [engine, hooks] = [join(ROOT, 'test/engine/a.test.ts'), join(ROOT, 'test/engine/hooks.test.ts')];
  const failed = {
    status: 'failed',
    ancestorTitles: ['an engine', 'at work'],
    title: 'goes on',
    failureMessages: [
      `\u001b[31mError: 4 of 5 files\u001b[39m\n    at ${engine}:3:61\n    at ${ROOT}/node_modules/vitest/run.js:1:1\n    at new Promise (<anonymous>)`,
    ],
  };
  const report = {
    ...GREEN,
    numFailedTests: 1,
    testResults: [
      {
        name: engine,
        status: 'failed',
        message: '',
        assertionResults: [failed, { ...failed, status: 'passed' }],
      },
      { name: hooks, status: 'failed', message: 'the hook fails', assertionResults: [] },
    ],
  };
  const { lines, status } = sumOf({ ...ALL_GREEN, test: { exitCode: 1, report } });
  expect(lines).toEqual([
    'test failed: test/engine/a.test.ts > an engine > at work > goes on',
    '    Error: 4 of 5 files',
    `        at ${engine}:3:61`,
    '',
    'test failed: test/engine/hooks.test.ts',
    '    the hook fails',
    '',
    'check: 1 passed, 0 failed, 0 skipped (exit code 0)',
    'test: 3 passed, 1 failed, 1 skipped (exit code 1)',
    'e2e: 3 passed, 0 failed, 1 skipped (exit code 0)',
    '7 passed, 1 failed, 2 skipped',
  ]);
  expect(status).toBe(1);
});

test.each(['check', 'test', 'e2e'])(
  'a %s that fails outside of tests tells the end of its output',
  (part) => {
    const said = Array.from({ length: 100 }, (_, index) => `line ${index}`).join('\n');
    const report = part === 'check' ? {} : { report: GREEN };
    const { lines, status } = sumOf({ ...ALL_GREEN, [part]: { exitCode: 1, log: `${said}\n\n`, ...report } });
    expect(lines[0]).toBe(`${part} failed outside of its tests; it said last:`);
    expect(lines.slice(1, 32)).toEqual([
      ...Array.from({ length: 30 }, (_, index) => `    line ${70 + index}`),
      '',
    ]);
    expect(status).toBe(1);
  },
);

test('a part that ran nothing has failed', () => {
  const { lines, status } = sumOf({ ...ALL_GREEN, e2e: { exitCode: 0, log: 'No test files found' } });
  expect(lines.slice(0, 2)).toEqual([
    'e2e failed outside of its tests; it said last:',
    '    No test files found',
  ]);
  expect([lines.at(-1), status]).toEqual(['4 passed, 1 failed, 1 skipped', 1]);
});

test('each part of the run leaves what is summed', () => {
  const parts = execFileSync('grep', ['-oP', '^part \\K\\w+', join(ROOT, '.ci', 'run')], {
    encoding: 'utf8',
  });
  expect(parts.trim().split('\n')).toEqual(Object.keys(ALL_GREEN));
});
