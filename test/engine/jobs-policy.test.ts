import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOB_MARKS, type JobRequest } from '../../sidecar/contract/jobs.ts';
import { digestOf, jobIdOf } from '../../sidecar/src/jobs/job-object.ts';
import { BUILD_MS, type JobsPlace, jobBody, jobsPlace, request } from '../helpers/jobs-place.ts';

/** What the broker's token is good for, by hand, at a real API server: as if the broker were broken into. */

let place: JobsPlace;

beforeAll(async () => {
  place = await jobsPlace('jobs-policy');
}, BUILD_MS);
afterAll(() => place?.[Symbol.asyncDispose]());

type Path = readonly (string | number)[];
type Plain = Record<string, unknown>;

/** @param value undefined: without it; a function: of what is there */
function changed(object: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return typeof value === 'function' ? value(object) : value;
  const copy = (Array.isArray(object) ? [...object] : { ...(object as Plain) }) as Plain;
  const made = changed(copy[key], rest, value);
  if (made === undefined) delete copy[key];
  else copy[key] = made;
  return copy;
}

const own = (path: Path, value: unknown, asked: JobRequest = request()) =>
  changed(jobBody(place, asked), path, value) as object;
const jobs = () => `/apis/batch/v1/namespaces/${place.namespace}/jobs`;
const and = (item: unknown) => (list: unknown[]) => [...list, item];
const more = (parts: object) => (object: object) => ({ ...object, ...parts });

const TEMPLATE = ['spec', 'template'];
const POD = [...TEMPLATE, 'spec'];
const FIRST = [...POD, 'containers', 0];
const LIMITS = [...FIRST, 'resources', 'limits'];

test('a Job of the template is taken: what follows is refused for what it changes', async () => {
  const answer = await place.asBroker('POST', `${jobs()}?dryRun=All`, jobBody(place, request()));
  expect([answer.status, answer.body.message]).toEqual([201, undefined]);
});

test.each<[string, Path, unknown]>([
  ['another image', [...FIRST, 'image'], 'evil:1'],
  ['another command', [...FIRST, 'command'], ['/bin/sh']],
  ['arguments', [...FIRST, 'args'], ['-c', 'id']],
  ['variables', [...FIRST, 'env'], [{ name: 'A', value: 'b' }]],
  ['variables of a Secret', [...FIRST, 'envFrom'], [{ secretRef: { name: 'scipion-onedata' } }]],
  ['a host path', [...POD, 'volumes'], and({ name: 'h', hostPath: { path: '/' } })],
  ['a Secret', [...POD, 'volumes'], and({ name: 's', secret: { secretName: 'scipion-onedata' } })],
  ['another claim', [...POD, 'volumes', 0, 'persistentVolumeClaim', 'claimName'], 'of-somebody'],
  ['the source writable', [...FIRST, 'volumeMounts', 0, 'readOnly'], undefined],
  ['the state beside the data', [...FIRST, 'volumeMounts', 1, 'subPath'], undefined],
  ['a token', [...POD, 'automountServiceAccountToken'], true],
  ['another account', [...POD, 'serviceAccountName'], 'scipion'],
  ['its root writable', [...FIRST, 'securityContext', 'readOnlyRootFilesystem'], false],
  ['more privileges', [...FIRST, 'securityContext', 'allowPrivilegeEscalation'], true],
  ['a capability', [...FIRST, 'securityContext', 'capabilities', 'add'], ['SYS_ADMIN']],
  ['the user root', [...POD, 'securityContext', 'runAsUser'], 0],
  ['the network of the node', [...POD, 'hostNetwork'], true],
  ['processes of the node', [...POD, 'hostPID'], true],
  ['a second container', [...POD, 'containers'], and({ name: 'b', image: 'evil:1' })],
  ['an init container', [...POD, 'initContainers'], [{ name: 'b', image: 'evil:1' }]],
  ['a node', [...POD, 'nodeName'], 'control-plane'],
  ['any node', [...POD, 'affinity'], undefined],
  ['tolerations', [...POD, 'tolerations'], [{ operator: 'Exists' }]],
  ['a priority', [...POD, 'priorityClassName'], 'system-node-critical'],
  ['another start', [...POD, 'restartPolicy'], 'OnFailure'],
  ['more CPUs', [...LIMITS, 'cpu'], '3'],
  ['more memory', [...LIMITS, 'memory'], '5Gi'],
  ['a GPU', [...LIMITS, 'nvidia.com/gpu'], '1'],
  ['more scratch space', [...LIMITS, 'ephemeral-storage'], '900Gi'],
  ['labels of the desktop', [...TEMPLATE, 'metadata', 'labels', 'app.kubernetes.io/component'], 'desktop'],
  ['another label', [...TEMPLATE, 'metadata', 'labels', 'a'], 'b'],
  ['another annotation', [...TEMPLATE, 'metadata', 'annotations', 'k8s.v1.cni.cncf.io/networks'], 'host'],
  ['more time', ['spec', 'activeDeadlineSeconds'], 86_401],
  ['no end', ['spec', 'activeDeadlineSeconds'], undefined],
  ['many pods', ['spec'], more({ parallelism: 50, completions: 50 })],
  ['repetition', ['spec', 'backoffLimit'], 6],
  [
    'pods of others',
    ['spec'],
    (spec: { template: { metadata: { labels: object } } }) => ({
      ...spec,
      manualSelector: true,
      selector: { matchLabels: spec.template.metadata.labels },
    }),
  ],
  ['another controller', ['spec', 'managedBy'], 'example.org/evil'],
  ['a class that is none', ['metadata', 'labels', JOB_MARKS.class], 'huge'],
  ['no labels', ['metadata', 'labels'], {}],
  ['another name', ['metadata', 'name'], 'scipion-job-100000000000001'],
  ['a drawn name', ['metadata'], more({ name: undefined, generateName: 'scipion-job-' })],
  ['no owner', ['metadata', 'ownerReferences'], undefined],
  ['another owner', ['metadata', 'ownerReferences', 0, 'name'], 'of-somebody'],
  ['a finalizer', ['metadata', 'finalizers'], ['example.org/stays']],
])('%s is refused', async (_what, path, value) => {
  const { status, body } = await place.asBroker('POST', `${jobs()}?dryRun=All`, own(path, value));
  expect([status, String(body.message)]).toEqual([
    422,
    expect.stringMatching(/ValidatingAdmissionPolicy 'scipion-jobs/),
  ]);
});

describe('beside jobs', () => {
  const admission = '/apis/admissionregistration.k8s.io/v1';
  test.each<[string, string, string, object?]>([
    ['another namespace', 'POST', '/apis/batch/v1/namespaces/default/jobs', {}],
    ['a pod', 'POST', '/api/v1/namespaces/NS/pods', {}],
    ['a Secret', 'GET', '/api/v1/namespaces/NS/secrets/scipion-onedata'],
    ['all Secrets', 'GET', '/api/v1/namespaces/NS/secrets'],
    ['a shell in the desktop', 'POST', '/api/v1/namespaces/NS/pods/scipion-0/exec?command=sh&stdout=true'],
    ['a token', 'POST', '/api/v1/namespaces/NS/serviceaccounts/scipion/token', {}],
    ['more rights', 'POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings', {}],
    ['the shape', 'PATCH', '/api/v1/namespaces/NS/podtemplates/scipion-job', {}],
    ['the policy', 'DELETE', `${admission}/validatingadmissionpolicies/scipion-jobs.jane`],
    ['the removal of jobs', 'DELETE', '/apis/batch/v1/namespaces/NS/jobs'],
    ['the StatefulSet', 'PATCH', '/apis/apps/v1/namespaces/NS/statefulsets/scipion', {}],
  ])('%s is refused', async (_what, method, path, body) => {
    const answer = await place.asBroker(method, path.replace('NS', place.namespace), body);
    expect(answer.status).toBe(403);
  });

  test('nothing is written where its account is given every right', async () => {
    const core = `/api/v1/namespaces/${place.namespace}`;
    await place.giveEverything();
    // Until the API server has seen it: only then the policies are what refuses.
    await expect.poll(async () => (await place.asBroker('GET', `${core}/secrets`)).status).toBe(200);
    const refused = [
      await place.asBroker('POST', `${core}/configmaps`, { metadata: { name: 'mine' }, data: {} }),
      await place.asBroker('PATCH', `${core}/podtemplates/scipion-job`, { metadata: { labels: { a: 'b' } } }),
      await place.asBroker('DELETE', `${core}/podtemplates/scipion-job`),
      await place.asBroker('POST', `${core}/serviceaccounts/scipion/token`, {}),
    ];
    for (const { status, body } of refused)
      expect([status, String(body.message)]).toEqual([422, expect.stringMatching(/scipion-jobs/)]);
  });
});

test('of a job nothing changes but its time, and that to less', async () => {
  const asked = request();
  const made = await place.asBroker('POST', jobs(), jobBody(place, asked));
  expect(made.status).toBe(201);
  const name = `${jobs()}/scipion-job-${jobIdOf(place.namespace, asked.clientId)}`;
  const patches: object[] = [
    { spec: { suspend: true } },
    { spec: { parallelism: 5 } },
    { spec: { backoffLimit: 5 } },
    { spec: { ttlSecondsAfterFinished: 1 } },
    { spec: { activeDeadlineSeconds: 86_401 } },
    { spec: { activeDeadlineSeconds: null } },
    { metadata: { labels: { a: 'b' } } },
    { metadata: { annotations: { [JOB_MARKS.digest]: digestOf(request()) } } },
    { metadata: { finalizers: ['example.org/stays'] } },
    { metadata: { ownerReferences: [] } },
  ];
  for (const patch of patches) {
    const { status, body } = await place.asBroker('PATCH', name, patch);
    expect([patch, status, String(body.message)]).toEqual([
      patch,
      422,
      expect.stringMatching(/ValidatingAdmissionPolicy 'scipion-jobs/),
    ]);
  }
  const annotations = { [JOB_MARKS.cancelledAt]: 'now', [JOB_MARKS.cancelledBecause]: 'a test' };
  const less = { spec: { activeDeadlineSeconds: 1 }, metadata: { annotations } };
  expect(await place.asBroker('PATCH', name, less)).toMatchObject({ status: 200 });
});
