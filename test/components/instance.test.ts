import { beforeAll, describe, expect, test } from 'vitest';
import type { Registration } from '../../automation/recording/index.ts';
import { Secret } from '../../automation/recording/values.ts';
import { verifyPassword } from '../../sidecar/contract/password-hash.ts';
import {
  CANARIES,
  inputAt,
  kubernetesObjects,
  placesOf,
  resourceOf,
  runInstance,
} from '../helpers/program.ts';

type Run = Awaited<ReturnType<typeof runInstance>>;

const PASSWORD = 'canary password, with spaces and ü';

const runs = {} as { up: Run; preview: Run; drawn: Run };

beforeAll(async () => {
  const given = { secretConfig: { desktopPassword: PASSWORD } };
  runs.up = await runInstance(given);
  runs.preview = await runInstance({ ...given, dryRun: true });
  const other = {
    networkIsolation: 'false',
    createNamespace: 'false',
    gateway: 'networking/public',
    tlsIssuer: '',
  };
  runs.drawn = await runInstance({ config: other });
});

const find = (kind: string, name?: string) => resourceOf(runs.up.registrations, kind, name);
const objects = () => kubernetesObjects(runs.up.registrations);
const statefulSet = () => find('apps/v1:StatefulSet');
const annotationsOf = (one: Registration) => inputAt(one.inputs, 'metadata', 'annotations') ?? {};

/** Every URN that must be there before a resource, over any number of steps. */
function neededBy(registrations: readonly Registration[], one: Registration): Set<string> {
  const byUrn = new Map(registrations.map((registration) => [registration.urn, registration]));
  const seen = new Set<string>();
  const visit = (urn: string) => {
    for (const dependency of byUrn.get(urn)?.options.dependencies ?? []) {
      if (seen.has(dependency)) continue;
      seen.add(dependency);
      visit(dependency);
    }
  };
  visit(one.urn);
  return seen;
}

describe.each(['up', 'preview', 'drawn'] as const)('the program in %s', (mode) => {
  test('ends without errors and warnings', () => {
    expect(runs[mode].errors).toEqual([]);
    expect(runs[mode].logs.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  test('names nothing by accident', () => {
    const accidents = ['undefined', '[object Object]', 'Calling [toString]', 'NaN'];
    const places = kubernetesObjects(runs[mode].registrations).flatMap(({ name, inputs }) =>
      accidents.flatMap((text) => placesOf(text, inputs, name)),
    );
    expect(places).toEqual([]);
  });

  test('makes the StatefulSet depend on everything else, and nothing on it', () => {
    const { registrations } = runs[mode];
    const last = resourceOf(registrations, 'apps/v1:StatefulSet');
    const others = kubernetesObjects(registrations).filter(({ urn }) => urn !== last.urn);
    const needed = neededBy(registrations, last);
    expect(others.filter(({ urn }) => !needed.has(urn)).map(({ name }) => name)).toEqual([]);
    expect(
      others.filter((one) => neededBy(registrations, one).has(last.urn)).map(({ name }) => name),
    ).toEqual([]);
  });

  test('gives components no arguments that the state would keep', () => {
    const components = runs[mode].registrations.filter(
      ({ custom, type }) => !custom && type.startsWith('scipion:'),
    );
    expect(components.map(({ inputs }) => inputs)).toEqual(components.map(() => ({})));
  });

  test('registers the outputs of every component', () => {
    const components = runs[mode].registrations.filter(
      ({ custom, type }) => !custom && type.startsWith('scipion:'),
    );
    const missing = components.filter(({ urn }) => !(urn in runs[mode].componentOutputs));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

test('what it creates, by logical name, which never changes', () => {
  const names = objects().map(({ type, name }) => `${type.split(':').at(-1)} ${name}`);
  expect(names.sort()).toEqual([
    'ConfigMap scipion-workload',
    'Ingress scipion-endpoint',
    'LimitRange scipion-namespace-limits',
    'Namespace scipion-namespace',
    'NetworkPolicy scipion-network',
    'NetworkPolicy scipion-network-certificate-solver',
    'NetworkPolicy scipion-network-default-deny',
    'PersistentVolumeClaim scipion-volume-project',
    'PersistentVolumeClaim scipion-volume-source',
    'PodDisruptionBudget scipion-workload',
    'ResourceQuota scipion-namespace-quota',
    'Secret scipion-gateway',
    'Secret scipion-onedata',
    'Service scipion-endpoint',
    'ServiceAccount scipion-workload',
    'StatefulSet scipion-workload',
  ]);
});

test('an existing namespace gets no namespace, quota or policies of others', () => {
  const kinds = kubernetesObjects(runs.drawn.registrations).map(({ type }) => type.split(':').at(-1));
  expect(kinds).not.toContain('Namespace');
  expect(kinds).not.toContain('ResourceQuota');
  expect(kinds).not.toContain('NetworkPolicy');
});

test('a Gateway gets an HTTPRoute in place of an Ingress', () => {
  const { registrations } = runs.drawn;
  expect(registrations.some(({ type }) => type.endsWith(':Ingress'))).toBe(false);
  expect(inputAt(resourceOf(registrations, ':HTTPRoute').inputs, 'spec')).toEqual({
    parentRefs: [{ namespace: 'networking', name: 'public' }],
    hostnames: ['scipion.jane.example.org'],
    rules: [{ backendRefs: [{ name: 'scipion', port: 80 }], timeouts: { request: '0s' } }],
  });
});

describe('resource options', () => {
  test('a wait is skipped for Service, Ingress and claims alone', () => {
    const skipping = objects().filter((one) => 'pulumi.com/skipAwait' in (annotationsOf(one) as object));
    expect(skipping.map(({ type }) => type.split(':').at(-1)).sort()).toEqual([
      'Ingress',
      'PersistentVolumeClaim',
      'PersistentVolumeClaim',
      'Service',
    ]);
  });

  test('the StatefulSet is drained before it is deleted, for longer than the pod may take', () => {
    expect(statefulSet().options.hooks).toEqual({ beforeDelete: ['drain'] });
    expect(inputAt(statefulSet().inputs, 'spec', 'template', 'spec', 'terminationGracePeriodSeconds')).toBe(
      3600,
    );
    expect(statefulSet().options.customTimeouts.delete).toBe('3900s');
  });

  test('volumes and namespace refuse to go from under an instance', () => {
    const claims = ['scipion-volume-source', 'scipion-volume-project'].map((name) =>
      find('PersistentVolumeClaim', name),
    );
    for (const { options } of claims) {
      expect(options.hooks).toEqual({ beforeDelete: ['refuse-while-in-use'] });
      expect(options.ignoreChanges).toEqual(['spec.storageClassName', 'spec.accessModes']);
    }
    expect(find('core/v1:Namespace').options.hooks).toMatchObject({
      beforeCreate: ['claim-namespace'],
      beforeDelete: ['refuse-while-in-use'],
    });
  });

  test('Service and Ingress do not depend on credentials or volumes', () => {
    const needed = [...neededBy(runs.up.registrations, find('Ingress'))].map((urn) => urn.split('::').at(-1));
    expect(needed.sort()).toEqual([
      'scipion-endpoint',
      'scipion-namespace',
      'scipion-namespace-limits',
      'scipion-namespace-quota',
    ]);
  });

  test('nothing is protected or kept: a removal removes', () => {
    const kept = runs.up.registrations.filter(({ options }) => options.protect || options.retainOnDelete);
    expect(kept.map(({ name }) => name)).toEqual([]);
  });

  test('all objects are in the namespace and carry the labels', () => {
    for (const one of objects()) {
      const isNamespace = one.type.endsWith(':Namespace');
      expect(inputAt(one.inputs, 'metadata', isNamespace ? 'name' : 'namespace')).toBe('jane');
      expect(Object.keys(inputAt(one.inputs, 'metadata', 'labels') as object)).toEqual(
        expect.arrayContaining(
          ['name', 'instance', 'component', 'part-of', 'managed-by'].map(
            (label) => `app.kubernetes.io/${label}`,
          ),
        ),
      );
    }
  });
});

describe('secrets', () => {
  const texts = { ...CANARIES, password: PASSWORD };

  test.each(Object.entries(texts))('%s is nowhere but in its Secret, and marked there', (what, text) => {
    const places = runs.up.registrations.flatMap(({ type, name, inputs, outputs }) => [
      ...placesOf(text, inputs, `${type.split(':').at(-1)} ${name}`),
      ...placesOf(text, outputs, `${type.split(':').at(-1)} ${name}`),
    ]);
    expect(places.filter((place) => !/^Secret scipion-onedata\..* \(secret\)$/.test(place))).toEqual([]);
    expect(places.length > 0).toBe(what !== 'password');
  });

  test.each(Object.entries(texts))('%s is in no output, log or error in clear', (_what, text) => {
    const { outputs, logs, errors, printed } = runs.up;
    expect(placesOf(text, outputs).filter((place) => place !== 'desktopPassword (secret)')).toEqual([]);
    expect(JSON.stringify([logs, errors, printed])).not.toContain(text);
  });

  test('the gateway gets a hash that the password fits, not the password', async () => {
    const hash = inputAt(find('Secret', 'scipion-gateway').inputs, 'stringData', 'password-hash');
    const key = inputAt(find('Secret', 'scipion-gateway').inputs, 'stringData', 'session-key');
    expect(await verifyPassword(PASSWORD, String(hash))).toBe(true);
    expect(await verifyPassword(`${PASSWORD} `, String(hash))).toBe(false);
    expect(Buffer.from(String(key), 'base64')).toHaveLength(32);
  });

  test('a password that was not given is generated and is a secret output', () => {
    const password = runs.drawn.outputs.desktopPassword;
    expect(password).toBeInstanceOf(Secret);
    expect(password instanceof Secret ? password.value : '').toMatch(/^[A-Za-z0-9]{24}$/);
  });

  test('no container has a variable or an argument but its command', () => {
    const spec = inputAt(statefulSet().inputs, 'spec', 'template', 'spec') as Record<
      string,
      Record<string, unknown>[]
    >;
    const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
    expect(
      containers.map(({ name, command, args, env, envFrom }) => ({ name, command, args, env, envFrom })),
    ).toEqual([
      { name: 'prepare-volumes', command: ['/usr/local/bin/sync', 'prepare'] },
      { name: 'sync', command: ['/usr/local/bin/sync', 'run'] },
      { name: 'gateway', command: ['/usr/local/bin/gateway'] },
      { name: 'desktop' },
    ]);
  });
});

test('another version changes the pod alone', async () => {
  const other = await runInstance({
    config: { version: '3.7.1' },
    secretConfig: { desktopPassword: PASSWORD },
  });
  const inputsOf = (run: Run) =>
    new Map(
      kubernetesObjects(run.registrations)
        // Made anew in each recording.
        .filter(({ type }) => !type.endsWith(':Secret'))
        .map(({ urn, inputs }) => [urn, JSON.stringify(inputs)]),
    );
  const before = inputsOf(runs.up);
  const changed = [...inputsOf(other)].filter(([urn, inputs]) => before.get(urn) !== inputs);
  expect(changed.map(([urn]) => urn.split('::').at(-1))).toEqual(['scipion-workload']);
  expect(changed[0]?.[0]).toContain('StatefulSet');
});

test('the outputs tell what to do next', () => {
  const { desktopPassword, ...shown } = runs.up.outputs;
  expect(desktopPassword).toBeInstanceOf(Secret);
  expect(shown).toEqual({
    url: 'https://scipion.jane.example.org/',
    namespace: 'jane',
    passwordCommand: 'pulumi stack output desktopPassword --show-secrets --stack jane',
    statusCommand: 'kubectl --namespace jane exec scipion-0 --container sync -- /usr/local/bin/sync status',
    saveCommand: 'kubectl --namespace jane exec scipion-0 --container sync -- /usr/local/bin/sync save',
    restartCommand: 'kubectl --namespace jane delete pod scipion-0',
    removeCommand: 'npm run destroy -- --stack jane',
  });
});
