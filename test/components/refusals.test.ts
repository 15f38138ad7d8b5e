import { expect, test } from 'vitest';
import { kubernetesObjects, runInstance } from '../helpers/program.ts';

test('a wrong configuration ends the program with every problem and no stack, before any resource', async () => {
  const run = await runInstance({
    config: { version: '1.0', memroy: '4Gi', onedataHost: 'https://provider.example.org' },
    secretConfig: { sourceToken: '' },
  });
  expect(run.ok).toBe(false);
  expect(run.registrations.filter(({ type }) => type !== 'pulumi:pulumi:Stack')).toEqual([]);
  expect(run.errors).toHaveLength(1);
  expect(run.errors[0]).toContain('The configuration of stack "jane" has 4 problems; nothing was changed.');
  for (const key of ['version', 'memroy', 'onedataHost', 'sourceToken']) {
    expect(run.errors[0]).toContain(`  scipion:${key}: found`);
  }
  expect(run.errors[0]).not.toMatch(/\n\s+at /);
});

test('a secret stored in clear is refused, and not shown', async () => {
  const run = await runInstance({ config: { desktopPassword: 'canary-in-clear' } });
  expect(run.ok).toBe(false);
  expect(JSON.stringify([run.errors, run.logs, run.printed])).not.toContain('canary');
});

test('a removal goes on with a wrong configuration, and with nothing but the hooks', async () => {
  process.env.SCIPION_REMOVING = 'true';
  try {
    const run = await runInstance({ config: { version: '1.0', memory: 'lots' } });
    expect(run.errors).toEqual([]);
    expect(kubernetesObjects(run.registrations)).toEqual([]);
    expect(run.hooks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['drain', 'refuse-while-in-use']),
    );
    expect(run.logs.map(({ message }) => message).join('\n')).toContain('scipion:version: found "1.0"');
    const guard = run.registrations.find(({ name }) => name === 'removal-only');
    expect(guard?.options.hooks).toEqual({ beforeCreate: ['removal-only'] });
  } finally {
    delete process.env.SCIPION_REMOVING;
  }
});
