import { beforeAll, describe, expect, test } from 'vitest';
import {
  type ProgramRun,
  type Registration,
  render,
  reveal,
  runProgram,
  Secret,
  secretPaths,
  UNKNOWN,
} from '../../automation/recording/index.ts';
import { programDirectory, TOKEN } from './programs.ts';

const base = { directory: programDirectory('basic'), stack: 'dev', secretConfig: { token: TOKEN } };

function named(run: ProgramRun, name: string): Registration {
  const found = run.registrations.filter((registration) => registration.name === name);
  if (found.length !== 1) throw new Error(`${found.length} registrations are named ${name}`);
  return found[0] as Registration;
}

describe('a run as in an update', () => {
  let run: ProgramRun;
  const hookAnswers: (string | undefined)[] = [];

  beforeAll(async () => {
    run = await runProgram({
      ...base,
      config: { label: true, 'basic:failDrain': 'yes' },
      whenRegistered: async (live) => {
        hookAnswers.push(await live.runHook('drain', { name: 'workload' }));
      },
    });
  });

  test('ends well and starts with the stack', () => {
    expect(run.errors).toEqual([]);
    expect(run.ok).toBe(true);
    expect(run.registrations[0]?.type).toBe('pulumi:pulumi:Stack');
  });

  test('URNs carry the types of the parents', () => {
    expect(named(run, 'site-secret').urn).toBe(
      'urn:pulumi:dev::basic::basic:index:Site$kubernetes:core/v1:Secret::site-secret',
    );
    expect(named(run, 'site-secret').options.parent).toBe('urn:pulumi:dev::basic::basic:index:Site::site');
  });

  test('the workload depends on everything in the component', () => {
    const workload = named(run, 'workload');
    const names = workload.options.dependencies.map((urn) => urn.split('::').at(-1)).sort();
    expect(names).toEqual(['namespace', 'settings', 'site-password', 'site-secret']);
    expect(workload.options.propertyDependencies.metadata).toEqual([named(run, 'namespace').urn]);
  });

  test('options arrive: hooks, time limits, aliases, versions', () => {
    const { options } = named(run, 'workload');
    expect(options.hooks).toEqual({ beforeDelete: ['drain'] });
    expect(options.customTimeouts).toEqual({ delete: '70m' });
    expect(options.aliases).toContainEqual({ spec: { name: 'old-workload', parentUrn: options.parent } });
    expect(options.version).toMatch(/^4\./);
  });

  test('secrets are marked and print masked', () => {
    const secret = named(run, 'site-secret');
    expect(secretPaths(secret.inputs)).toEqual(['stringData']);
    expect(reveal(secret.inputs)).toMatchObject({ stringData: { token: TOKEN } });
    expect(JSON.stringify(run)).not.toContain(TOKEN);
    expect(run.outputs.password).toBeInstanceOf(Secret);
    expect(run.outputs.url).toBe('https://site.example.org');
  });

  test('random values follow their arguments', () => {
    const password = named(run, 'site-password').outputs.result as Secret;
    expect(password.value).toMatch(/^[A-Za-z0-9]{24}$/);
  });

  test('a transform of the stack changes the inputs', () => {
    expect(named(run, 'namespace').inputs.metadata).toEqual({ name: 'site', labels: { team: 'cryo' } });
  });

  test('hooks run in the program and answer with their error', () => {
    expect(hookAnswers).toEqual(['two files could not be saved']);
    expect(run.hooks).toEqual([{ name: 'drain', onDryRun: false }]);
    expect(run.logs.map((log) => log.message)).toContain('draining workload');
  });
});

test('in a preview what is generated is unknown, what is given is not', async () => {
  const run = await runProgram({ ...base, dryRun: true });
  expect(run.errors).toEqual([]);
  expect((named(run, 'site-password').outputs.result as Secret).value).toBe(UNKNOWN);
  expect((named(run, 'site-secret').inputs.stringData as Secret).value).toBe(UNKNOWN);
  expect(run.outputs.url).toBe('https://site.example.org');
});

test('an expected error of the program comes as it is, without a stack', async () => {
  const run = await runProgram({ ...base, config: { greeting: 'nobody' } });
  expect(run.ok).toBe(false);
  expect(run.errors).toEqual(['greeting: found "nobody", expected somebody']);
});

test('two resources of one URN are refused', async () => {
  const run = await runProgram({ ...base, config: { twin: true } });
  expect(run.ok).toBe(false);
  expect(run.errors.join('\n')).toContain('core/v1:Namespace::namespace');
});

test('render prints the objects, sorted, secrets masked, the same each time', async () => {
  const first = await render({ ...base, config: { label: true } });
  const second = await render({ ...base, config: { label: true } });
  expect(first.errors).toEqual([]);
  expect(first.yaml).toContain('stringData: <secret>');
  expect(first.yaml).not.toContain(TOKEN);
  expect(first.yaml.match(/^kind: .*$/gm)).toEqual([
    'kind: ConfigMap',
    'kind: ConfigMap',
    'kind: Namespace',
    'kind: Secret',
    'kind: StatefulSet',
  ]);
  expect(second.yaml).toBe(first.yaml);
});
