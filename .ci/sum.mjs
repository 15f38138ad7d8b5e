// Tells what failed in the parts of a CI run, then sums them into one closing line: exit codes, output and vitest's
// JSON reports are in the given folder. Of a long output often only the end is kept.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const ERROR_LINES = 8;
const OUTPUT_LINES = 30;
const LINE_LENGTH = 300;

const folder = process.argv[2];
const sum = { passed: 0, failed: 0, skipped: 0 };
const lines = [];

for (const part of ['check', 'test', 'e2e']) {
  const exitCode = Number(readFileSync(join(folder, `${part}.exit`), 'utf8'));
  const file = join(folder, `${part}.json`);
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  const counts = report === undefined ? { passed: 0, failed: 0, skipped: 0 } : countsOf(report);
  if (part === 'check') counts[exitCode === 0 ? 'passed' : 'failed'] += 1;
  // A part that failed without a failed test (it did not start, or an error outside of tests) counts as one failure;
  // so does one that says it is fine and ran nothing.
  if (counts.failed === 0 && (exitCode !== 0 || counts.passed === 0)) counts.failed = 1;
  if (counts.failed > 0) tellFailures(part, report);
  lines.push(
    `${part}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped (exit code ${exitCode})`,
  );
  for (const key of Object.keys(sum)) sum[key] += counts[key];
}

function countsOf(report) {
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Each test by its full name with the first lines of its errors; where none is known, the end of what the part said. */
function tellFailures(part, report) {
  const failures = (report?.testResults ?? []).flatMap(failuresOf);
  for (const { name, error } of failures) {
    console.log(`\n${part} failed: ${name}`);
    // Of the stack, what is ours.
    const said = error.split('\n').filter((line) => !/^\s+at (?!.*\.ts:)|^\s+at .*node_modules/.test(line));
    tellLines(said.slice(0, ERROR_LINES));
  }
  if (failures.length > 0) return;
  console.log(`\n${part} failed outside of its tests; it said last:`);
  const log = join(folder, `${part}.log`);
  tellLines(existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-OUTPUT_LINES) : []);
}

function failuresOf({ name: file, status, message, assertionResults }) {
  const name = relative(process.cwd(), file);
  const failed = assertionResults.filter((each) => each.status === 'failed');
  // A file that cannot be loaded, or whose hooks fail, has no test of its own to blame.
  if (failed.length === 0) return status === 'failed' ? [{ name, error: message ?? '' }] : [];
  return failed.map(({ ancestorTitles, title, failureMessages }) => ({
    name: [name, ...ancestorTitles, title].join(' > '),
    error: failureMessages.join('\n'),
  }));
}

function tellLines(said) {
  for (const line of said) console.log(`    ${stripVTControlCharacters(line).slice(0, LINE_LENGTH)}`);
}

console.log(`\n${lines.join('\n')}`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed === 0 ? 0 : 1;
