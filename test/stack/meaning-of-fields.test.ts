import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  changesOfPreview,
  type Plain,
  plainAt,
  type ResourceChange,
} from '../../automation/meaning/changes.ts';
import { isHarmless, meaningOf } from '../../automation/meaning/meaning.ts';
import { runProgram } from '../../automation/recording/index.ts';
import { mask } from '../../automation/recording/values.ts';

/** What a change of the program means, field by field: of the objects that it makes today, each changed by hand. */

const { registrations, errors } = await runProgram({
  directory: fileURLToPath(new URL('../../', import.meta.url)),
  stack: 'jane',
  stackFile: false,
  dryRun: true,
  config: {
    'scipion:onedataHost': 'provider.example.org',
    'scipion:sourceSpaceId': 'source',
    'scipion:projectSpaceId': 'project',
  },
  secretConfig: {
    'scipion:sourceToken': 'placeholder-sourceToken',
    'scipion:projectToken': 'placeholder-projectToken',
  },
});
if (errors.length > 0) throw new Error(errors.join('\n'));
const objects = registrations
  .filter(({ custom }) => custom)
  .map(({ type, name, inputs }) => ({ type, name, inputs: mask(inputs) as Plain }));

/** Sets one field, by its path; `undefined` takes it away. */
function withField(inputs: Plain, path: string, value: unknown): Plain {
  const [key = '', ...rest] = path.split('/');
  const at = (inputs[key] ?? {}) as Plain;
  const isList = Array.isArray(at);
  const deeper = rest.length === 0 ? value : withField(at, rest.join('/'), value);
  const made = rest.length > 0 && isList ? Object.values(deeper as Plain) : deeper;
  return { ...inputs, [key]: made };
}

type Edit = readonly [kind: string, name: string, path: string, value: unknown];

const changeOf = (...edits: Edit[]): ResourceChange[] =>
  [...Map.groupBy(edits, ([kind, name]) => `${kind} ${name}`).values()].map((those) => {
    const [kind, name] = those[0] as Edit;
    const found = objects.find(
      ({ type, name: own, inputs }) =>
        type.endsWith(`:${kind}`) &&
        (name === '' || [own, (inputs.metadata as Plain | undefined)?.name].includes(name)),
    );
    if (found === undefined) throw new Error(`no ${kind} ${name}`);
    const after = those.reduce((inputs, [, , path, value]) => withField(inputs, path, value), found.inputs);
    return { type: found.type, name: found.name, before: found.inputs, after };
  });

const SET = ['StatefulSet', 'scipion'] as const;
const ROLLING: Edit = [...SET, 'spec/updateStrategy/type', 'RollingUpdate'];
const GRACE: Edit = [...SET, 'spec/template/spec/terminationGracePeriodSeconds', 1];
const LABELS = plainAt(
  objects.find(({ type }) => type.endsWith(':StatefulSet'))?.inputs,
  ...['spec', 'template', 'metadata', 'labels'],
);
const LOOK = 'what that means is not known: look';

test.each<[string, readonly Edit[], string]>([
  ['ends', [ROLLING, GRACE], 'starts it again: time of the final save'],
  ['ends', [ROLLING], 'ends the session: the updateStrategy RollingUpdate stops the pod at once'],
  ['ends', [[...SET, 'spec/updateStrategy', undefined], GRACE], 'ends the session'],
  [
    'replaces',
    [[...SET, 'spec/podManagementPolicy', 'OrderedReady']],
    'spec.podManagementPolicy cannot change in place',
  ],
  [
    'replaces',
    [[...SET, 'spec/serviceName', 'other']],
    'replaces StatefulSet scipion, which ends the session',
  ],
  ['replaces', [[...SET, 'spec/selector/matchLabels/a', 'b']], 'spec.selector.matchLabels.a'],
  ['replaces', [[...SET, 'metadata/name', 'other']], 'metadata.name cannot'],
  ['unknown', [[...SET, 'spec/replicas', 2]], `changes spec.replicas of StatefulSet scipion; ${LOOK}`],
  [
    'unknown',
    [[...SET, 'spec/template/metadata/labels', { ...LABELS, 'app.kubernetes.io/name': 'x' }]],
    'changes labels by which the pod is found (app.kubernetes.io/name)',
  ],
  [
    'replaces',
    [['PersistentVolumeClaim', 'scipion-project', 'metadata/name', 'scipion-work']],
    'replaces the project volume by a new and empty one: metadata.name cannot change in place',
  ],
  [
    'replaces',
    [['PersistentVolumeClaim', 'scipion-project', 'spec/volumeName', 'x']],
    'replaces the project volume',
  ],
  [
    'replaces',
    [['PersistentVolumeClaim', 'scipion-project', 'spec/resources/requests/storage', '1Gi']],
    'shrinks the project volume from',
  ],
  [
    'replaces',
    [[...SET, 'spec/template/spec/volumes/1/persistentVolumeClaim/claimName', 'scipion-work']],
    'gives the pod another claim as its project volume, from scipion-project to scipion-work',
  ],
  ['replaces', [['RandomPassword', '', 'length', 25]], 'draws another password of the desktop'],
  [
    'unknown',
    [['Service', 'scipion', 'spec/ports/0/targetPort', 9]],
    `changes spec.ports[0].targetPort of Service scipion; ${LOOK}`,
  ],
  ['unknown', [['Service', 'scipion', 'spec/selector/a', 'b']], 'changes spec.selector.a of Service'],
  ['unknown', [['Service', 'scipion', 'spec/ports/0/name', 'web']], 'changes spec.ports[0].name'],
  [
    'replaces',
    [['Service', 'scipion', 'spec/clusterIP', 'None']],
    'replaces Service scipion: spec.clusterIP',
  ],
  [
    'unknown',
    [['Ingress', 'scipion', 'spec/rules/0/http/paths/0/path', '/x']],
    'spec.rules[0].http.paths[0].path of Ingress',
  ],
  [
    'unknown',
    [['NetworkPolicy', 'scipion', 'spec/podSelector', { matchLabels: { a: 'b' } }]],
    'spec.podSelector',
  ],
  ['unknown', [['PodDisruptionBudget', 'scipion', 'spec/maxUnavailable', 1]], 'spec.maxUnavailable'],
  [
    'unknown',
    [['ServiceAccount', 'scipion', 'automountServiceAccountToken', true]],
    'automountServiceAccountToken',
  ],
  [
    'replaces',
    [['ConfigMap', 'scipion-config', 'immutable', true]],
    'replaces ConfigMap scipion-config: immutable',
  ],
  ['replaces', [['Secret', 'scipion-gateway', 'type', 'Other']], 'replaces Secret scipion-gateway: type'],
  [
    'unknown',
    [['Namespace', 'jane', 'metadata/labels', { 'pod-security.kubernetes.io/enforce': 'baseline' }]],
    'pod-security',
  ],
  [
    'unknown',
    [['Secret', 'scipion-gateway', 'metadata/annotations', { 'pulumi.com/replaceUnready': 'true' }]],
    'pulumi.com/replaceUnready',
  ],
])('%s: %j', (expected, edits, words) => {
  const [gravest] = meaningOf(changeOf(...edits));
  expect(gravest?.change).toBe(expected === 'ends' ? 'ends the session' : expected);
  expect(gravest?.text).toContain(words);
  expect(isHarmless(gravest as NonNullable<typeof gravest>)).toBe(false);
});

test.each<[readonly Edit[], string[]]>([
  [
    [GRACE],
    ['takes effect at the next start of the pod, the session continues until then: time of the final save'],
  ],
  [[[...SET, 'metadata/labels/site', 'two']], []],
  [[[...SET, 'spec/minReadySeconds', 3]], []],
  [
    [ROLLING, GRACE, [...SET, 'spec/replicas', 0]],
    [
      'stops the desktop after a last save; both volumes stay',
      'takes effect at the next start of the pod, the session continues until then: time of the final save',
    ],
  ],
  [
    [['Ingress', 'scipion', 'metadata/annotations/a', 'b']],
    ['changes in place, without a restart: how browsers reach the instance'],
  ],
])('what is known is said as before: %j', (edits, words) => {
  expect(meaningOf(changeOf(...edits)).map(({ text }) => text)).toEqual(words);
});

test('resources that come and go beside the workload', () => {
  const made = (type: string, name: string): ResourceChange => ({
    type,
    name,
    after: { metadata: { name } },
  });
  const gone = (type: string, name: string): ResourceChange => ({
    type,
    name,
    before: { metadata: { name } },
  });
  const words = (...changes: ResourceChange[]) => meaningOf(changes).map(({ text }) => text);
  expect(words(gone('kubernetes:core/v1:PersistentVolumeClaim', 'scipion-project'))).toEqual([
    'removes the project volume, with what it holds',
  ]);
  expect(words(gone('kubernetes:core/v1:Namespace', 'jane'))).toEqual([
    'removes Namespace jane, with what it holds',
  ]);
  expect(words(made('kubernetes:rbac.authorization.k8s.io/v1:RoleBinding', 'x'))).toEqual([
    `creates RoleBinding x; ${LOOK}`,
  ]);
  expect(words(gone('kubernetes:core/v1:ConfigMap', 'x'))).toEqual([`removes ConfigMap x; ${LOOK}`]);
  const set = 'kubernetes:apps/v1:StatefulSet';
  expect(words(gone(set, 'old'), made(set, 'new'))).toEqual([
    'replaces the instance by another, which ends the session',
  ]);
});

test('what the engine replaces is replaced, whatever it is, and its own bookkeeping is no change', () => {
  const urn = (type: string) => `urn:pulumi:s::scipion::scipion:instance:X$${type}::x`;
  const side = (value: string) => ({ inputs: { __defaults: [value], spec: { a: value } } });
  const replaced = ['create-replacement', 'replace', 'delete-replaced'].map((op) => ({
    op,
    urn: urn('kubernetes:core/v1:Service'),
    oldState: side('a'),
    ...(op === 'delete-replaced' ? {} : { newState: side('b') }),
  }));
  expect(meaningOf(changesOfPreview({ steps: replaced }))).toMatchObject([
    { change: 'replaces', text: expect.stringContaining('replaces Service x: spec.a') },
    { change: 'unknown' },
  ]);
  const bookkeeping = ['pulumi:pulumi:Stack', 'pulumi:providers:kubernetes', 'scipion:instance:Y'];
  const steps = bookkeeping.map((type) => ({ op: 'update', urn: `urn:pulumi:s::p::${type}::x` }));
  expect(changesOfPreview({ steps })).toEqual([]);
});
