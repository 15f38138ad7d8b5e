import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent, request as httpRequest } from 'undici';
import { jobsConfig } from '../../components/manifests/config-map.ts';
import { podTemplateManifest } from '../../components/manifests/job.ts';
import * as rights from '../../components/manifests/job-policy.ts';
import { namespaceManifest } from '../../components/manifests/namespace.ts';
import { serviceAccountManifest } from '../../components/manifests/workload.ts';
import { CLUSTER_RULES, JOBS_RULES } from '../../components/rights.ts';
import { bundle } from '../../sidecar/build.ts';
import { JOB_MARKS, type JobRequest } from '../../sidecar/contract/jobs.ts';
import { jobObject } from '../../sidecar/src/jobs/job-object.ts';
import { type Answer, BrokerProcess } from './broker-process.ts';
import { instanceConfig } from './instance-config.ts';
import { type KubernetesApi, startKubernetesApi } from './kubernetes-api.ts';

/** A namespace of a real API server with the objects by which an instance has jobs, and brokers of it. */

interface Pod {
  readonly metadata: { readonly name: string; readonly annotations: Record<string, string> };
  readonly spec: Record<string, unknown>;
}

/** Where Kubernetes is not built yet, and something else is built beside it. */
export const BUILD_MS = 45 * 60_000;

export interface JobsPlace extends AsyncDisposable {
  readonly namespace: string;
  /** A broker for those who only ask. */
  readonly shared: BrokerProcess;
  broker(...args: string[]): Promise<BrokerProcess>;
  /** With the broker's token. */
  asBroker(method: string, path: string, body?: object): Promise<Answer>;
  jobs(): Promise<unknown[]>;
  pods(): Promise<unknown[]>;
  /** Waits until it was made. */
  podOf(id: string): Promise<Pod>;
  /** As the kubelet would. */
  setPod(id: string, state: object): Promise<void>;
  clear(): Promise<void>;
  giveEverything(): Promise<void>;
}

export const clientId = () => randomBytes(16).toString('hex');

export const request = (changes: Partial<JobRequest> = {}): JobRequest => ({
  clientId: clientId(),
  class: 'small',
  name: '12-3',
  command: { argv: ['relion_refine', '--o', 'Runs/12'] },
  folder: '/mnt/vol-project/demo',
  environment: {},
  isHeld: false,
  ...changes,
});

const CONFIG = instanceConfig({ jobs: 'true', apiServerNetworks: '["127.0.0.1/32"]', namespace: 'jane' });
const OWNER = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  name: 'scipion',
  uid: 'b5a1c7a2-0000-4000-8000-000000000001',
};

/** What the broker would ask the API server for. */
export function jobBody({ namespace }: JobsPlace, asked: JobRequest): object {
  const config = { ...jobsConfig(CONFIG), namespace };
  const jobClass = config.classes.find(({ name }) => name === asked.class);
  if (jobClass === undefined) throw new Error(`no class ${asked.class}`);
  const { cpus, memoryMebibytes, hours } = jobClass;
  return jobObject(config, asked, {
    jobClass,
    asked: { cpus, memoryMebibytes, seconds: hours * 3600 },
    owner: OWNER,
  });
}

/** Somebody with the documented rights and no others. */
async function deployer(api: KubernetesApi): Promise<KubernetesApi['request']> {
  const name = 'deployer';
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await api.request('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name } });
  await api.request('POST', `${rbac}/clusterroles`, {
    metadata: { name },
    rules: [...CLUSTER_RULES, ...JOBS_RULES],
  });
  await api.request('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
  });
  const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`;
  const { token } = (await api.request('POST', path, { spec: {} })).status as { token: string };
  const dispatcher = new Agent({ connect: { ca: api.authorities } });
  return async (method, where, body) => {
    const answer = await httpRequest(`${api.url}${where}`, {
      method: method as 'POST',
      dispatcher,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${where}: ${answer.statusCode} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
}

/** In order: the rights come last. */
async function makeObjects(api: KubernetesApi, namespace: string): Promise<void> {
  const ask = await deployer(api);
  const inside = `/namespaces/${namespace}`;
  const core = `/api/v1${inside}`;
  const admission = '/apis/admissionregistration.k8s.io/v1';
  const rbac = `/apis/rbac.authorization.k8s.io/v1${inside}`;
  await ask('POST', '/api/v1/namespaces', namespaceManifest(CONFIG));
  await ask('POST', `${core}/serviceaccounts`, serviceAccountManifest(CONFIG));
  await ask('POST', `${core}/serviceaccounts`, rights.jobAccountManifest(CONFIG));
  await ask('POST', `${core}/podtemplates`, podTemplateManifest(CONFIG));
  await ask('POST', `${admission}/validatingadmissionpolicies`, rights.rightsPolicyManifest(CONFIG));
  await ask('POST', `${admission}/validatingadmissionpolicies`, rights.shapePolicyManifest(CONFIG));
  for (const kind of ['rights', 'shape'] as const)
    await ask(
      'POST',
      `${admission}/validatingadmissionpolicybindings`,
      rights.policyBindingManifest(CONFIG, kind),
    );
  await ask('POST', `${rbac}/roles`, rights.jobsRoleManifest(CONFIG));
  await ask('POST', `${rbac}/rolebindings`, rights.jobsRoleBindingManifest(CONFIG));
  // The instance's own pod, of which the broker learns its owner.
  await api.request('POST', `${core}/pods`, {
    metadata: { name: 'scipion-0', ownerReferences: [{ ...OWNER, controller: true }] },
    spec: {
      serviceAccountName: 'scipion',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'desktop',
          image: 'x:1',
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  });
}

export async function jobsPlace(name: string): Promise<JobsPlace> {
  const { namespace } = CONFIG;
  const api = await startKubernetesApi({ controllers: ['job-controller'] });
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  try {
    await makeObjects(api, namespace);
    const cluster = join(folder, 'cluster');
    mkdirSync(cluster);
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/scipion/token`;
    const token = String(((await api.request('POST', path, { spec: {} })).status as { token: string }).token);
    writeFileSync(join(cluster, 'token'), token);
    writeFileSync(join(cluster, 'ca.crt'), api.authorities);
    writeFileSync(join(folder, 'jobs.json'), JSON.stringify(jobsConfig(CONFIG)));
    // As it is in the image, where its memory is counted.
    await bundle({ jobs: SOURCE }, join(folder, 'app'));
    const start = (number: number, args: readonly string[]) =>
      BrokerProcess.start(join(folder, String(number)), [
        join(folder, 'app', 'jobs.js'),
        ...['--config', join(folder, 'jobs.json'), '--cluster', cluster, '--server', api.url],
        ...['--socket', join(folder, String(number), 's')],
        ...['--probes-port', '', '--look-every', '0.5', ...args],
      ]);
    return await placeOf(api, { folder, namespace, token, start });
  } catch (error) {
    await api[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

interface Parts {
  readonly folder: string;
  readonly namespace: string;
  readonly token: string;
  readonly start: (number: number, args: readonly string[]) => Promise<BrokerProcess>;
}

async function placeOf(api: KubernetesApi, { folder, namespace, token, start }: Parts): Promise<JobsPlace> {
  const dispatcher = new Agent({ connect: { ca: api.authorities } });
  const core = `/api/v1/namespaces/${namespace}`;
  const batch = `/apis/batch/v1/namespaces/${namespace}`;
  const listed = async (path: string, selector: string) =>
    (
      (await api.request('GET', `${path}?labelSelector=${encodeURIComponent(selector)}`)) as {
        items: unknown[];
      }
    ).items;
  const podsOf = (id: string) => listed(`${core}/pods`, `${JOB_MARKS.id}=${id}`) as Promise<Pod[]>;
  let brokers = 0;
  const shared = await start(brokers, []);
  const podOf = async (id: string): Promise<Pod> => {
    for (const end = Date.now() + 60_000; ; await sleep(200)) {
      const [pod] = await podsOf(id);
      if (pod !== undefined) return pod;
      if (Date.now() > end)
        throw new Error(`no pod of job ${id}: ${JSON.stringify(await api.request('GET', `${core}/events`))}`);
    }
  };
  return {
    namespace,
    shared,
    podOf,
    broker: (...args) => {
      brokers += 1;
      return start(brokers, args);
    },
    asBroker: async (method, path, body) => {
      const answer = await httpRequest(`${api.url}${path}`, {
        method,
        dispatcher,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.statusCode, body: (await answer.body.json()) as Answer['body'] };
    },
    jobs: () => listed(`${batch}/jobs`, JOB_MARKS.id),
    pods: () => listed(`${core}/pods`, JOB_MARKS.id),
    setPod: async (id, state) => {
      const { metadata } = await podOf(id);
      const { exitCode } = (state as { terminated?: { exitCode: number } }).terminated ?? {};
      const phase = exitCode === undefined ? 'Running' : exitCode === 0 ? 'Succeeded' : 'Failed';
      const status = {
        phase,
        containerStatuses: [{ name: 'job', image: '', imageID: '', ready: false, restartCount: 0, state }],
      };
      await api.request('PATCH', `${core}/pods/${metadata.name}/status`, { status });
    },
    clear: async () => {
      await api.request('DELETE', `${batch}/jobs?propagationPolicy=Background`);
      for (const pod of (await listed(`${core}/pods`, JOB_MARKS.id)) as Pod[]) {
        await api.request('PATCH', `${core}/pods/${pod.metadata.name}`, { metadata: { finalizers: null } });
        await api
          .request('DELETE', `${core}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 0 })
          .catch(() => undefined);
      }
    },
    giveEverything: async () => {
      await api.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
        metadata: { name: 'everything' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'ServiceAccount', name: 'scipion', namespace }],
      });
    },
    [Symbol.asyncDispose]: async () => {
      await shared[Symbol.asyncDispose]();
      await dispatcher.close();
      await api[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const SOURCE = fileURLToPath(new URL('../../sidecar/src/jobs/main.ts', import.meta.url));
