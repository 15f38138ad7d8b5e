import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { problemCodeSchema } from '../../contract/status.ts';
import { PROBLEMS_FILE, problemReference, sampleOf } from '../../src/sync/service/problem-reference.ts';

test('docs/problems.md is what `npm run docs` writes', () => {
  expect(readFileSync(PROBLEMS_FILE, 'utf8')).toBe(problemReference());
});

test.each(problemCodeSchema.options)('the sample of %s is what the engine says of such an error', (code) => {
  expect(sampleOf(code)).toMatchObject({ code, message: expect.stringMatching(/[.)]$|\d$/) });
});
