import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CommandFailure,
  ensureEngine,
  openStack,
  runCommand,
  stateEnvironment,
} from '../../automation/engine/index.ts';
import { recordVariants, VARIANTS } from '../../automation/preview/check-manifests.ts';
import { type Registration, reveal } from '../../automation/recording/index.ts';
import { RESOURCE_RULES, type ResourceInStack, STACK_RULES } from '../../policy/rules.ts';
import { enginePlace } from '../helpers/engine-place.ts';
import { CANARIES } from '../helpers/program.ts';

/** The rules of `policy/`: on the recorded program for every variant of a stack, and by the real engine. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PACK = join(ROOT, 'policy');

type Plain = Record<string, unknown>;
const resourcesOf = (registrations: readonly Registration[]): ResourceInStack[] =>
  registrations.map(({ urn, type, name, inputs, options }) => ({
    urn,
    type,
    name,
    props: reveal(inputs) as Plain,
    dependencies: options.dependencies.map((each) => ({ urn: each })),
  }));
/** `rule: finding` for each. */
const findingsOf = (resources: readonly ResourceInStack[]) => [
  ...RESOURCE_RULES.flatMap(({ name, check }) =>
    resources.flatMap((resource) => check(resource).map((finding) => `${name}: ${finding}`)),
  ),
  ...STACK_RULES.flatMap(({ name, check }) => check(resources).map((finding) => `${name}: ${finding}`)),
];

describe('the recorded program', () => {
  let recorded: Map<string, readonly Registration[]>;
  beforeAll(async () => {
    recorded = await recordVariants(ROOT);
  });

  test('keeps every rule in every variant of a stack, but for what a site says otherwise', () => {
    expect([...recorded.keys()]).toEqual(Object.keys(VARIANTS));
    for (const [name, registrations] of recorded) {
      const found = findingsOf(resourcesOf(registrations));
      const said =
        VARIANTS[name]?.networkIsolation === false ? [expect.stringMatching(/^network-isolated: /)] : [];
      expect(found, name).toEqual(said);
    }
  });

  test.each([
    [/"create","list","patch"/, '"create","delete"', /^no-rights: found the right batch\/jobs delete/],
    [/"pods"\]/, '"secrets"]', /^no-rights: found the right \/secrets list/],
    [
      /"kind":"Role","name":"scipion/,
      '"kind":"ClusterRole","name":"scipion',
      /^no-rights: found a binding to ClusterRole/,
    ],
    [/"name":"jobs","ports"/, '"name":"other","ports"', /^token-for-broker: container other mounts a token/],
  ])('%s of an instance with jobs is found', (from, to, finding) => {
    const text = JSON.stringify(resourcesOf(recorded.get('jobs') ?? []));
    expect(text).toMatch(from);
    const changed = JSON.parse(text.replace(from, to)) as ResourceInStack[];
    expect(findingsOf(changed)).toContainEqual(expect.stringMatching(finding));
  });

  /** What somebody might change: as text in the objects of the usual stack, and the finding of it. */
  const CHANGES: readonly (readonly [from: RegExp, to: string, finding: RegExp])[] = [
    [
      /"seccompProfile":\{"type":"RuntimeDefault"\}/g,
      '"supplementalGroups":[]',
      /^container-restricted: .*no seccomp profile/,
    ],
    [/"enableServiceLinks":false/, '"hostPID":true', /^pod-restricted: hostPID is true/],
    [
      /"emptyDir":\{[^}]*\}/,
      '"hostPath":{"path":"/"}',
      /^pod-restricted: volume \S+: found the kind hostPath/,
    ],
    [/"emptyDir":\{[^}]*\}/, '"emptyDir":{}', /^scratch-bounded: emptyDir \S+ has no sizeLimit/],
    [/"runAsNonRoot":true/, '"runAsNonRoot":false', /^container-restricted: .*runAsNonRoot is not true/],
    [
      /"readOnlyRootFilesystem":true/,
      '"readOnlyRootFilesystem":false',
      /^container-restricted: .*readOnlyRoot/,
    ],
    [/"allowPrivilegeEscalation":false/, '"privileged":true', /^container-restricted: .*it is privileged/],
    [/"drop":\["ALL"\]/, '"add":["SYS_ADMIN"]', /^container-restricted: .*adds the capabilities SYS_ADMIN/],
    [/"limits":\{[^}]*\}/, '"limits":{"cpu":"1"}', /^container-bounded: .*no limit of memory/],
    [/"automountServiceAccountToken":false/g, '"automountServiceAccountToken":true', /^no-api-token: /],
    [/"image":/, '"envFrom":[{"secretRef":{"name":"tokens"}}],"image":', /^secret-as-file: .*from a Secret/],
    [/"image":"[^"]*"/, '"image":"example.org/desktop:latest"', /^image-named: .*no tag of a release/],
    [/"OnDelete"/, '"RollingUpdate"', /^session-kept: updateStrategy is RollingUpdate/],
    [/"replicas":1/, '"replicas":2', /^session-kept: 2 pods/],
    [
      /"terminationGracePeriodSeconds":\d+/,
      '"terminationGracePeriodSeconds":30',
      /^session-kept: terminationGrace/,
    ],
    [
      /"169\.254\.0\.0\/16",?/,
      '',
      /^metadata-closed: 0\.0\.0\.0\/0 opens the metadata address 169\.254\.169\.254/,
    ],
    [
      /"cidr":"::\/0"/,
      '"cidr":"::ffff:a9fe:a9fe/128"',
      /^metadata-closed: ::ffff:a9fe:a9fe\/128 opens the metadata address 169\.254\.169\.254/,
    ],
    [/"to":\[\{"ipBlock/, '"to":[],"was":[{"ipBlock', /^metadata-closed: a rule for egress has no peers/],
    [/"type":"ClusterIP"/, '"type":"LoadBalancer"', /^service-inside: found a Service of type LoadBalancer/],
    [
      /"annotations":\{/g,
      '"annotations":{"pulumi.com/skipAwait":"true",',
      /^deletion-awaited: pulumi.com\/skipAwait/,
    ],
    [/core\/v1:Service"/, 'rbac.authorization.k8s.io/v1:Role"', /^no-rights: found an object of RBAC/],
    [/"maxUnavailable":0/, '"maxUnavailable":1', /^eviction-refused: /],
    [/networking.k8s.io\/v1:NetworkPolicy"/g, 'core/v1:ConfigMap"', /^network-isolated: /],
  ];
  test.each(CHANGES)('%s changed is found', (from, to, finding) => {
    const before = JSON.stringify(resourcesOf(recorded.get('usual') ?? []));
    const after = before.replace(from, to);
    expect(after, 'the objects have what is changed').not.toBe(before);
    expect(findingsOf(JSON.parse(after) as ResourceInStack[])).toContainEqual(expect.stringMatching(finding));
  });

  test('an object that the pod does not wait for, or that waits for the pod, is found', () => {
    const usual = resourcesOf(recorded.get('usual') ?? []);
    const workload = usual.find(({ type }) => type.endsWith(':StatefulSet'));
    const stray = { urn: 'urn:stray', type: 'kubernetes:core/v1:ConfigMap', name: 'stray', props: {} };
    const found = findingsOf([...usual, { ...stray, dependencies: [{ urn: workload?.urn ?? '' }] }]);
    expect(found).toEqual([
      expect.stringMatching(/^workload-last: stray depends on the pod/),
      expect.stringMatching(/^workload-last: the pod does not depend on ConfigMap stray/),
    ]);
  });
});

describe('the real engine', async () => {
  const engine = await ensureEngine(() => {});
  const place = await enginePlace('engine-policy');
  afterAll(() => place[Symbol.asyncDispose]());

  /** What a preview of a program with the pack prints. */
  async function previewWithPack(
    program: string,
    config: Record<string, string>,
    secrets: Record<string, string>,
  ) {
    const stateDirectory = join(place.folder, 'state', secrets['basic:token'] ? 'basic' : 'own');
    const environment = { KUBECONFIG: place.kubeconfig };
    const rendered = { 'kubernetes:renderYamlToDirectory': join(place.folder, 'rendered') };
    const settings = { program, stack: 'jane', stateDirectory, secrets, environment, cli: 'pulumi' };
    await openStack(engine, { ...settings, config: { ...rendered, ...config } }).preview(() => {});
    const end = await runCommand(
      engine,
      ['preview', '--policy-pack', PACK, '--stack', 'jane', '--color', 'never'],
      {
        directory: stateDirectory,
        environment: { ...(await stateEnvironment(engine, stateDirectory)), ...environment },
      },
    ).catch((error: unknown) => {
      if (error instanceof CommandFailure) return error.end;
      throw error;
    });
    return { exitCode: end.exitCode, said: `${end.stdout}${end.stderr}` };
  }

  test('runs the pack on an instance and finds nothing', async () => {
    const { exitCode, said } = await previewWithPack(
      ROOT,
      {
        'scipion:onedataHost': 'provider.example.org',
        'scipion:sourceSpaceId': 'source-space',
        'scipion:projectSpaceId': 'project-space',
        'scipion:checkTokens': 'false',
      },
      { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
    );
    expect(said).toContain('scipion-instances');
    expect(said).not.toMatch(/mandatory|advisory/);
    expect(exitCode, said).toBe(0);
  });

  test('fails the preview of a program that breaks the rules, each named', async () => {
    const { exitCode, said } = await previewWithPack(
      join(ROOT, 'test/recording/programs/basic'),
      {},
      { 'basic:token': 'canary-token-5c1e9' },
    );
    expect(exitCode).not.toBe(0);
    for (const rule of ['container-restricted', 'container-bounded', 'no-api-token', 'session-kept'])
      expect(said).toContain(rule);
    expect(said).toContain('container main: no limit of memory');
    expect(said).not.toContain('canary-token');
  });
});
