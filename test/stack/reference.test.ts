import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configReference, REFERENCE_FILE, SCHEMA_FILE, schemaText } from '../../stacks/docs.ts';
import { notesOf } from '../../stacks/fields.ts';
import { judge } from '../../stacks/judge.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { rawStack } from '../helpers/raw-stack.ts';

test('docs/config-reference.md is what `npm run docs` writes', () => {
  expect(readFileSync(REFERENCE_FILE, 'utf8')).toBe(configReference());
});

test('docs/stack.schema.json is what `npm run docs` writes', () => {
  expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(schemaText());
});

const examples = Object.entries(SETTING_FIELDS)
  .map(([key, type]) => [key, notesOf(type).example] as const)
  // Text in a command of a shell, or a Secret that only an existing namespace has.
  .filter(([key]) => !key.endsWith('CertificateAuthorities') && !key.endsWith('Secret'));

/** What the keys of a sign-in need beside them. */
const SIGN_IN = {
  signInIssuer: 'https://login.example.org',
  signInClientId: 'scipion',
  signInUsers: '["a"]',
};

test.each(examples)('the example of %s is accepted: %s', (key, example) => {
  expect(
    judge(
      rawStack({
        ...(key === 'jobs' ? { apiServerNetworks: '["192.0.2.1/32"]' } : {}),
        ...(/^signIn|^passwordLogin/.test(key) ? SIGN_IN : {}),
        [key]: example.replace('sha256:…', `sha256:${'a'.repeat(64)}`),
      }),
    ).problems,
  ).toEqual([]);
});
