import { describe, expect, test } from 'vitest';
import type { Cluster } from '../../components/cluster.ts';
import { refuseChangedIdentity, refuseUnknownInstance } from '../../components/identity.ts';
import { type Identity, identityOf } from '../../components/identity-changes.ts';
import { STACK_ANNOTATION } from '../../components/manifests/metadata.ts';
import type { StateResource } from '../../components/own-state.ts';
import { startApiServer } from '../helpers/api-server.ts';
import { instanceConfig } from '../helpers/instance-config.ts';
import { kubernetesObjects, runInstance } from '../helpers/program.ts';

const identity = (changes: Record<string, string | undefined> = {}) => identityOf(instanceConfig(changes));
const LIVING = identity();

const inNamespace = (kind: string, name: string, more: object = {}): StateResource => ({
  type: `kubernetes:${kind}`,
  outputs: { metadata: { name, namespace: 'jane' }, ...more },
});
const NAMESPACE: StateResource = {
  type: 'kubernetes:core/v1:Namespace',
  outputs: { metadata: { name: 'jane' } },
};
const CLAIM = inNamespace('core/v1:PersistentVolumeClaim', 'scipion-project', {
  spec: { storageClassName: 'standard', resources: { requests: { storage: '50Gi' } } },
});
const SPACES = { source: { spaceId: 'source-space' }, project: { spaceId: 'project-space' } };
const CONFIG_MAP = inNamespace('core/v1:ConfigMap', 'scipion-config', {
  data: { 'sync.json': JSON.stringify(SPACES) },
});
const STATE = [NAMESPACE, CONFIG_MAP, CLAIM, inNamespace('apps/v1:StatefulSet', 'scipion')];

const stateOf = (state: readonly StateResource[] | undefined) => ({ readState: async () => state });
const changed = (asked: Identity, state: readonly StateResource[] | undefined = STATE) =>
  refuseChangedIdentity(LIVING, asked, 'jane', stateOf(state));

describe('a living instance', () => {
  test.each([
    [
      { namespace: 'joe' },
      'scipion:namespace: the instance has "jane"; asked for: "joe"; to set it back: pulumi config set scipion:namespace jane --stack jane',
    ],
    [
      { projectSpaceId: 'other' },
      'scipion:projectSpaceId: the instance has "project-space"; asked for: "other"; to set it back: pulumi config set scipion:projectSpaceId project-space --stack jane',
    ],
    [
      { sourceSpaceId: 'other' },
      'scipion:sourceSpaceId: the instance has "source-space"; asked for: "other"',
    ],
    [{ createNamespace: 'false' }, 'scipion:createNamespace: the instance has "true"; asked for: "false"'],
    [
      { storageClass: 'fast' },
      'scipion:storageClass: the instance has none; asked for: "fast"; to set it back: pulumi config set scipion:storageClass \'\' --stack jane',
    ],
  ])('refuses %j, with the way back and the way on', async (changes, line) => {
    const refusal = changed(identity(changes));
    await expect(refusal).rejects.toThrow(line);
    await expect(refusal).rejects.toThrow(
      'npm run destroy -- --stack jane (saves the work to the project space it has now), then pulumi up --stack jane.',
    );
  });

  test('refuses another claim in place of a space', async () => {
    const mounted = (projectMount: string) =>
      identity({ projectMount, createNamespace: 'false', projectToken: undefined });
    const refusal = refuseChangedIdentity(mounted('claim/a'), mounted('claim/b'), 'jane', stateOf(STATE));
    await expect(refusal).rejects.toThrow('scipion:projectMount: the instance has "claim/a"');
  });

  test('says all changes at once, and that a renamed stack changed the namespace', async () => {
    const refusal = refuseChangedIdentity(
      LIVING,
      identity({ namespace: 'joe', projectSpaceId: 'b' }),
      'joe',
      stateOf(STATE),
    );
    await expect(refusal).rejects.toThrow(
      'asked for: "joe", the stack\'s name; to set it back: pulumi config set scipion:namespace jane --stack joe',
    );
    await expect(refusal).rejects.toThrow('scipion:projectSpaceId');
  });

  test('is as good as living where only its project volume is left, or where the engine tells nothing', async () => {
    await expect(changed(identity({ namespace: 'joe' }), [CLAIM])).rejects.toThrow('scipion:namespace');
    await expect(
      refuseChangedIdentity(LIVING, identity({ namespace: 'joe' }), 'jane', stateOf(undefined)),
    ).rejects.toThrow('scipion:namespace');
  });

  test('grows its volumes, and refuses to shrink them', async () => {
    await expect(changed(identity({ projectVolumeSize: '1Ti' }))).resolves.toBeUndefined();
    await expect(changed(identity({ projectVolumeSize: '49Gi' }))).rejects.toThrow(
      'scipion:projectVolumeSize: the instance has "50Gi"; asked for: "49Gi", and a volume can only grow; to set it back: pulumi config set scipion:projectVolumeSize 50Gi --stack jane',
    );
  });

  test('takes back a size that its storage class did not grant', () =>
    expect(
      refuseChangedIdentity(identity({ projectVolumeSize: '1Ti' }), LIVING, 'jane', stateOf(STATE)),
    ).resolves.toBeUndefined());

  test('may have its own storage class written out', () =>
    expect(changed(identity({ storageClass: 'standard' }))).resolves.toBeUndefined());
});

test('a first up that got no further than its namespace may choose another one', () =>
  expect(changed(identity({ namespace: 'joe' }), [NAMESPACE])).resolves.toBeUndefined());

const annotated = (owner: string) => ({ metadata: { annotations: { [STACK_ANNOTATION]: owner } } });
const clusterWith = (objects: { statefulSet?: object; claim?: object; namespace?: object }) => () =>
  ({
    statefulSet: async () => objects.statefulSet,
    claim: async () => objects.claim,
    namespace: async () => objects.namespace,
  }) as unknown as Cluster;
const first = (
  state: readonly StateResource[] | undefined,
  connect: () => Cluster,
  asked: Identity = LIVING,
) => refuseUnknownInstance(asked, 'jane', { ...stateOf(state), connect });

describe('a state that remembers no identity', () => {
  const nothing = clusterWith({});
  const down = () => {
    throw new Error('connect ECONNREFUSED');
  };

  test('of a release before this one goes on with the same identity, and refuses another', async () => {
    await expect(first(STATE, nothing)).resolves.toBeUndefined();
    await expect(first(STATE, nothing, identity({ projectSpaceId: 'b' }))).rejects.toThrow(
      'scipion:projectSpaceId: the instance has "project-space"',
    );
    await expect(first(STATE, nothing, identity({ namespace: 'joe' }))).rejects.toThrow('scipion:namespace');
    await expect(first(STATE, nothing, identity({ storageClass: 'fast' }))).rejects.toThrow('"standard"');
    await expect(first(STATE, nothing, identity({ projectVolumeSize: '49Gi' }))).rejects.toThrow(
      'scipion:projectVolumeSize: the instance has "50Gi"',
    );
  });

  test.each([
    ['an empty cluster', nothing],
    ['a cluster that is down', down],
  ])('begins in %s', (_what, connect) => expect(first([], connect)).resolves.toBeUndefined());

  test('was lost where the cluster has the instance of this stack: the way on is told', async () => {
    const refusal = first([], clusterWith({ statefulSet: {}, namespace: annotated('jane') }));
    await expect(refusal).rejects.toThrow('pulumi stack import --stack jane --file BACKUP');
    await expect(refusal).rejects.toThrow('npm run take-over -- --stack jane');
    await expect(refusal).rejects.toThrow(
      'kubectl --namespace jane exec scipion-0 --container sync -- /usr/local/bin/sync drain\n  kubectl delete namespace jane',
    );
  });

  test('in an existing namespace removes only what is the instance', async () => {
    const refusal = first(
      [],
      clusterWith({ claim: annotated('jane') }),
      identity({ createNamespace: 'false' }),
    );
    await expect(refusal).rejects.toThrow(
      '--selector app.kubernetes.io/part-of=scipion-instances,app.kubernetes.io/instance=jane',
    );
    await expect(refusal).rejects.not.toThrow('delete namespace');
  });

  test('is refused a namespace that holds the instance of another', async () => {
    await expect(first([], clusterWith({ statefulSet: annotated('joe') }))).rejects.toThrow(
      'Namespace jane holds the instance of stack "joe"; one namespace holds one instance.',
    );
    await expect(first([], clusterWith({ claim: {} }))).rejects.toThrow('an instance of unknown origin');
  });
});

test('nothing is registered before the identity, whose hooks run in previews too', async () => {
  await using api = await startApiServer({
    objects: { '/apis/apps/v1/namespaces/jane/statefulsets/scipion': annotated('joe') },
  });
  const refusals: (string | undefined)[] = [];
  const run = await runInstance({
    config: { 'kubernetes:kubeconfig': api.kubeconfig },
    dryRun: true,
    whenRegistered: async (live) => {
      const other = { input: { ...LIVING, projectSpaceId: 'b' } };
      refusals.push(await live.runHook('refuse-changed-identity', { oldInputs: other }));
      refusals.push(await live.runHook('refuse-changed-identity', { oldInputs: { input: { ...LIVING } } }));
      refusals.push(await live.runHook('refuse-unknown-instance', {}));
    },
  });
  expect(run.errors).toEqual([]);
  const [first] = run.registrations.filter(({ type }) => type !== 'pulumi:pulumi:Stack');
  expect(first).toMatchObject({ type: 'pulumi:index:Stash', inputs: { input: LIVING } });
  expect(first?.options.hooks).toEqual({
    beforeCreate: ['refuse-unknown-instance'],
    beforeUpdate: ['refuse-changed-identity'],
  });
  expect(run.hooks).toEqual(
    expect.arrayContaining([
      { name: 'refuse-changed-identity', onDryRun: true },
      { name: 'refuse-unknown-instance', onDryRun: true },
    ]),
  );
  expect(refusals).toEqual([
    expect.stringContaining('scipion:projectSpaceId: the instance has "b"; asked for: "project-space"'),
    undefined,
    expect.stringContaining('Namespace jane holds the instance of stack "joe"'),
  ]);
  expect(kubernetesObjects(run.registrations).length).toBeGreaterThan(10);
});
