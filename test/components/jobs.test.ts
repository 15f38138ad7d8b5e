import { describe, expect, test } from 'vitest';
import { isPause } from '../../components/close-jobs.ts';
import { configMapManifest, jobsConfig, syncConfig } from '../../components/manifests/config-map.ts';
import { initContainers, mainContainers } from '../../components/manifests/containers.ts';
import { jobManifest } from '../../components/manifests/job.ts';
import { selectorLabels } from '../../components/manifests/metadata.ts';
import { quotaManifest } from '../../components/manifests/namespace.ts';
import { instancePolicyManifest, jobPolicyManifest } from '../../components/manifests/network.ts';
import { statefulSetManifest } from '../../components/manifests/workload.ts';
import { judge } from '../../stacks/judge.ts';
import { parseCpuMillis, parseSizeBytes } from '../../stacks/units.ts';
import { instanceConfig } from '../helpers/instance-config.ts';
import { kubernetesObjects, runInstance } from '../helpers/program.ts';
import { rawStack } from '../helpers/raw-stack.ts';

/** What an instance with jobs has besides, and that one without has none of it. */

const ON = { jobs: 'true', apiServerNetworks: '["192.0.2.1/32"]' };
const containersOf = (changes = {}) => {
  const config = instanceConfig(changes);
  return [...initContainers(config), ...mainContainers(config)];
};
const podOfJob = (changes = {}) => jobManifest(instanceConfig({ ...ON, ...changes })).spec.template;

describe('without jobs', () => {
  test('there is no broker, no right, no policy of it, and nothing of it in the pod', async () => {
    const { registrations } = await runInstance();
    const kinds = kubernetesObjects(registrations).map(({ type }) => type);
    expect(kinds.filter((kind) => /rbac|admission|PodTemplate/.test(kind))).toEqual([]);
    const config = instanceConfig();
    const pod = JSON.stringify(statefulSetManifest(config));
    for (const word of ['jobs', 'serviceAccountToken', 'SCIPION_JOB']) expect(pod).not.toContain(word);
    expect(Object.keys(configMapManifest(config).data)).toEqual(['sync.json', 'gateway.json']);
    expect(syncConfig(config)).not.toHaveProperty('hasJobs');
  });
});

describe('with jobs', () => {
  test('the token is in the broker alone, which sees no volume of data', () => {
    const pod = statefulSetManifest(instanceConfig(ON)).spec.template.spec;
    expect(pod.automountServiceAccountToken).toBe(false);
    const who = containersOf(ON).filter(({ volumeMounts }) =>
      volumeMounts.some(({ name }) => name === 'cluster-access'),
    );
    expect(who.map(({ name }) => name)).toEqual(['jobs']);
    expect(who[0]?.volumeMounts.map(({ name }) => name)).toEqual([
      'config',
      'cluster-access',
      'run',
      'jobs-tmp',
    ]);
  });

  test('its containers have what the stack asks for, no more and no less', () => {
    const all = containersOf({ ...ON, memory: '8Gi' }).filter(({ name }) => name !== 'prepare-volumes');
    expect(all.map(({ name }) => name)).toEqual(['sync', 'gateway', 'jobs', 'desktop']);
    const sum = (values: readonly (number | undefined)[]) => values.reduce<number>((a, b) => a + (b ?? 0), 0);
    expect(sum(all.map(({ resources }) => parseCpuMillis(resources.requests.cpu)))).toBe(2000);
    expect(sum(all.map(({ resources }) => parseCpuMillis(resources.limits.cpu)))).toBe(4000);
    expect(sum(all.map(({ resources }) => parseSizeBytes(resources.limits.memory)))).toBe(8 * 2 ** 30);
  });

  test('a job has the volumes of the desktop at the same places, the source read-only, and no socket', () => {
    const [job] = podOfJob().spec.containers;
    const [desktop] = mainContainers(instanceConfig(ON));
    const mounts = (container: typeof job | typeof desktop) =>
      container?.volumeMounts.filter(({ name }) => !['run', 'job-request'].includes(name));
    expect(mounts(job)).toEqual(mounts(desktop));
    expect(job?.volumeMounts.map(({ name }) => name)).not.toContain('run');
    expect(job?.volumeMounts[0]).toMatchObject({
      mountPath: '/mnt/vol-dataset',
      readOnly: true,
      subPath: 'data',
    });
    expect(job?.securityContext).toEqual(desktop?.securityContext);
    expect(job?.image).toBe(desktop?.image);
  });

  test('a job runs where the desktop does, once, without a token', () => {
    const { spec } = podOfJob({ nodeSelector: '{"a":"b"}', priorityClass: 'desktops' });
    expect(spec).toMatchObject({
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      serviceAccountName: 'scipion-job',
      nodeSelector: { a: 'b' },
      priorityClassName: 'desktops',
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }],
        },
      },
    });
    expect(jobManifest(instanceConfig(ON)).spec).toMatchObject({
      backoffLimit: 0,
      parallelism: 1,
      completions: 1,
    });
  });

  test('what finds the pod of the desktop finds no job', () => {
    const config = instanceConfig(ON);
    const labels: Record<string, string> = podOfJob().metadata.labels;
    expect(Object.entries(selectorLabels(config)).every(([key, value]) => labels[key] === value)).toBe(false);
    const { podSelector } = jobPolicyManifest(config).spec;
    expect(Object.entries(podSelector.matchLabels).every(([key, value]) => labels[key] === value)).toBe(true);
  });

  test('the pod reaches the API server, a job nobody', () => {
    const config = instanceConfig(ON);
    expect(instancePolicyManifest(config).spec.egress).toContainEqual({
      to: [{ ipBlock: { cidr: '192.0.2.1/32' } }],
      ports: [443, 6443].map((port) => ({ protocol: 'TCP', port })),
    });
    expect(jobPolicyManifest(config).spec).not.toHaveProperty('egress');
    expect(jobPolicyManifest(config).spec.policyTypes).toEqual(['Ingress', 'Egress']);
  });

  test('the quota has room for the largest class, or for what the site says', () => {
    const memory = (changes = {}) =>
      quotaManifest(instanceConfig({ memory: '8Gi', ...changes })).spec.hard['limits.memory'];
    expect(memory()).toBe('10Gi');
    expect(memory(ON)).toBe('26Gi');
    expect(memory({ ...ON, jobMemory: '64Gi' })).toBe('74Gi');
  });

  test('the broker is told the classes', () => {
    const jobClasses = '[{"name":"one","cpus":1,"memory":"1Gi","hours":2,"description":"Little"}]';
    expect(jobsConfig(instanceConfig({ ...ON, jobClasses }))).toMatchObject({
      namespace: 'jane',
      pod: 'scipion-0',
      classes: [{ name: 'one', cpus: 1, memoryMebibytes: 1024, hours: 2, description: 'Little' }],
    });
  });
});

test.each<[string, Record<string, string>, RegExp]>([
  ['a namespace that exists', { createNamespace: 'false' }, /^scipion:jobs: .*createNamespace false/],
  [
    'volumes of one pod',
    { volumeAccess: 'ReadWriteOncePod' },
    /^scipion:volumeAccess: .*ReadWriteOnce with jobs/,
  ],
  [
    'an API server that is not said',
    { apiServerNetworks: '[]' },
    /^scipion:apiServerNetworks: .*must reach it/,
  ],
  [
    'a quota that has no room',
    { quotaCpuGuaranteed: '9' },
    /^scipion:quotaCpuGuaranteed: .*at least 10 CPUs/,
  ],
  ['a limit that has no room', { quotaCpuLimit: '11' }, /^scipion:quotaCpuLimit: .*at least 12 CPUs/],
  ['memory that is too small', { jobMemory: '4Gi' }, /^scipion:jobMemory: .*at least 16Gi/],
  [
    'two classes of one name',
    {
      jobClasses:
        '[{"name":"a","cpus":1,"memory":"1Gi","hours":1},{"name":"a","cpus":1,"memory":"1Gi","hours":1}]',
    },
    /^scipion:jobClasses: .*a name of its own/,
  ],
])('jobs with %s are refused', (_what, changes, sentence) => {
  const { problems } = judge(rawStack({ ...ON, ...changes }));
  expect(problems).toContainEqual(expect.stringMatching(sentence));
});

test('before the pod is scaled away, and in no other update, its jobs are closed', async () => {
  const hooksOf = async (changes: Record<string, string>) => {
    const { registrations } = await runInstance({ config: changes });
    return kubernetesObjects(registrations).find(({ type }) => type.endsWith(':StatefulSet'))?.options.hooks;
  };
  expect(await hooksOf(ON)).toMatchObject({ beforeDelete: ['drain'], beforeUpdate: ['close-jobs'] });
  expect((await hooksOf({}))?.beforeUpdate ?? []).toEqual([]);
  const set = (replicas: number) => ({ spec: { replicas } });
  expect(
    [
      [set(1), set(0)],
      [{ spec: {} }, set(0)],
      [set(0), set(0)],
      [set(0), set(1)],
      [set(1), set(1)],
      [undefined, undefined],
    ].map(([before, after]) => isPause(before, after)),
  ).toEqual([true, true, false, false, false, false]);
});
