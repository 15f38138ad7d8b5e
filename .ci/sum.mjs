// Sums the parts of a CI run (exit codes and vitest's JSON reports in the given folder) into one closing line.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const sum = { passed: 0, failed: 0, skipped: 0 };

for (const part of ['check', 'test', 'e2e']) {
  const exitCode = Number(readFileSync(join(folder, `${part}.exit`), 'utf8'));
  const report = join(folder, `${part}.json`);
  const counts = existsSync(report)
    ? countsOf(JSON.parse(readFileSync(report, 'utf8')))
    : { passed: 0, failed: 0, skipped: 0 };
  if (part === 'check') counts[exitCode === 0 ? 'passed' : 'failed'] += 1;
  // A part that failed without a failed test (it did not start, or an error outside of tests) counts as one failure;
  // so does one that says it is fine and ran nothing.
  if (counts.failed === 0 && (exitCode !== 0 || counts.passed === 0)) counts.failed = 1;
  console.log(
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

console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed === 0 ? 0 : 1;
