import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureEngine, openStack } from '../../automation/engine/index.ts';
import { reveal } from '../../automation/recording/index.ts';
import { BUILD_MS } from '../helpers/jobs-place.ts';
import { type KubernetesApi, startKubernetesApi } from '../helpers/kubernetes-api.ts';
import { kubernetesObjects, runInstance } from '../helpers/program.ts';
import { runSite, SITE_CONFIG, SITE_FOLDER, SITE_SECRETS } from '../helpers/site.ts';

/** The program of a site at a real API server: what its console may do there, with its own token. */

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
interface Answer {
  readonly status: number;
  readonly message: string;
}

const engine = await ensureEngine(() => {});
let api: KubernetesApi;
let asConsole: (method: string, path: string, body?: object) => Promise<Answer>;
let closeAgent: () => Promise<void> = async () => {};

const PLURALS: Record<string, string> = { Ingress: 'ingresses', NetworkPolicy: 'networkpolicies' };
const pluralOf = (kind: string) =>
  PLURALS[kind] ??
  (kind.endsWith('Policy') ? `${kind.slice(0, -1).toLowerCase()}ies` : `${kind.toLowerCase()}s`);
const pathOf = ({ apiVersion, kind, metadata }: KubernetesObject) =>
  [
    apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    ...(metadata.namespace === undefined ? [] : ['namespaces', metadata.namespace]),
    pluralOf(kind),
  ].join('/');

const objectsOf = async (run: ReturnType<typeof runSite>) => {
  const { registrations, errors } = await run;
  expect(errors).toEqual([]);
  return kubernetesObjects(registrations).map(({ inputs }) => reveal(inputs) as unknown as KubernetesObject);
};

const CONSOLE = { namespace: 'scipion-console', name: 'scipion-console' };
const IN_FORCE_MS = 120_000;

beforeAll(async () => {
  api = await startKubernetesApi();
  const rights = /Namespace|ServiceAccount|ClusterRole|ValidatingAdmission/;
  for (const object of (await objectsOf(runSite())).filter(({ kind }) => rights.test(kind)))
    await api.request('POST', pathOf(object), object);
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'others' } });
  await api.request('POST', '/api/v1/namespaces/others/secrets', { metadata: { name: 'mine' } });
  await api.request('POST', '/api/v1/namespaces/others/serviceaccounts', { metadata: { name: 'theirs' } });
  await api.request('POST', '/api/v1/nodes', { metadata: { name: 'a' } });
  asConsole = await accountOf(CONSOLE);
  // The API server learns of a policy a moment after it was made.
  for (const end = Date.now() + IN_FORCE_MS; ; await sleep(200)) {
    const { status } = await asConsole('POST', '/api/v1/namespaces/others/configmaps?dryRun=All', named('a'));
    if (status === 422) break;
    if (Date.now() > end) throw new Error(`The policy is not in force: ${status}`);
  }
}, BUILD_MS);
afterAll(async () => {
  await closeAgent();
  await api?.[Symbol.asyncDispose]();
});

async function accountOf({ namespace, name }: typeof CONSOLE): Promise<typeof asConsole> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { token } = (await api.request('POST', path, { spec: {} })).status as { token: string };
  const dispatcher = new Agent({ connect: { ca: api.authorities } });
  closeAgent = () => dispatcher.close();
  return async (method, where, body) => {
    const answer = await httpRequest(`${api.url}${where}`, {
      method: method as 'POST',
      dispatcher,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    const { message = '' } = text.startsWith('{') ? (JSON.parse(text) as { message?: string }) : {};
    return { status: answer.statusCode, message };
  };
}

const named = (name: string, more: object = {}) => ({ metadata: { name, ...more } });
const POLICY = /ValidatingAdmissionPolicy 'scipion-console'/;
const LABELS = {
  'app.kubernetes.io/part-of': 'scipion-instances',
  'app.kubernetes.io/component': 'namespace',
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/enforce-version': 'latest',
};
const without = (key: keyof typeof LABELS) =>
  Object.fromEntries(Object.entries(LABELS).filter(([name]) => name !== key));
const NAMESPACES = '/api/v1/namespaces';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

test('a whole instance is made, changed and removed with it', async () => {
  const secretConfig = { desktopPassword: 'a password of a test' };
  const objects = await objectsOf(runInstance({ config: { checkTokens: 'false' }, secretConfig }));
  expect(objects.length).toBeGreaterThan(12);
  for (const object of objects)
    expect([object.kind, await asConsole('POST', pathOf(object), object)]).toEqual([
      object.kind,
      { status: 201, message: '' },
    ]);
  for (const object of objects)
    expect(
      await asConsole('PATCH', `${pathOf(object)}/${object.metadata.name}`, {
        metadata: { annotations: { 'example.org/seen': 'true' } },
      }),
    ).toEqual({ status: 200, message: '' });
  for (const object of objects.toReversed())
    expect((await asConsole('DELETE', `${pathOf(object)}/${object.metadata.name}`)).status).toBeLessThan(300);
}, 120_000);

test('a volume of csi-onedata is made for an instance', async () => {
  const config = { sourceMount: 'csi-onedata', projectMount: 'csi-onedata', checkTokens: 'false' };
  const objects = await objectsOf(runInstance({ config }));
  const volumes = objects.filter(({ kind }) => kind === 'PersistentVolume');
  expect(volumes.length).toBe(2);
  for (const volume of volumes)
    expect(await asConsole('POST', `${pathOf(volume)}?dryRun=All`, volume)).toEqual({
      status: 201,
      message: '',
    });
}, 60_000);

interface Case {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}
const refused = (what: string, method: string, path: string, body?: object): Case => ({
  ...{ what, method, path },
  ...(body === undefined ? {} : { body }),
});

/** Its ClusterRole lets it do these. */
const BY_POLICY: readonly Case[] = [
  ...['others', 'default', 'kube-system', 'scipion-console'].flatMap((namespace) => [
    refused(`a Secret in ${namespace}`, 'POST', `${NAMESPACES}/${namespace}/secrets`, named('a')),
    refused(`a workload in ${namespace}`, 'POST', `/apis/apps/v1/namespaces/${namespace}/statefulsets`, {
      ...named('a'),
      spec: {
        serviceName: 'a',
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
      },
    }),
    refused(`the labels of an instance on ${namespace}`, 'PATCH', `${NAMESPACES}/${namespace}`, {
      metadata: { labels: LABELS },
    }),
  ]),
  // Kubernetes itself keeps its own.
  ...['others', 'scipion-console'].map((namespace) =>
    refused(`the removal of ${namespace}`, 'DELETE', `${NAMESPACES}/${namespace}`),
  ),
  refused('a change of a Secret elsewhere', 'PATCH', `${NAMESPACES}/others/secrets/mine`, {
    stringData: { a: 'b' },
  }),
  refused('the removal of a Secret elsewhere', 'DELETE', `${NAMESPACES}/others/secrets/mine`),
  refused('a shell elsewhere', 'POST', `${NAMESPACES}/others/pods/a/exec?command=sh&stdout=true`),
  refused('a namespace without labels', 'POST', NAMESPACES, named('new')),
  refused(
    'a namespace with one of both',
    'POST',
    NAMESPACES,
    named('new', { labels: without('app.kubernetes.io/component') }),
  ),
  refused(
    'a namespace with privileged pods',
    'POST',
    NAMESPACES,
    named('new', { labels: { ...LABELS, 'pod-security.kubernetes.io/enforce': 'privileged' } }),
  ),
  refused('a folder of a node as volume', 'POST', '/api/v1/persistentvolumes', {
    ...named('a', { labels: LABELS }),
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/' } },
  }),
  refused('a volume of another driver', 'POST', '/api/v1/persistentvolumes', {
    ...named('a', { labels: LABELS }),
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      csi: { driver: 'other', volumeHandle: 'a' },
    },
  }),
];

/** Its ClusterRole lets it do none of these; the policy holds where somebody gives it more. */
const BY_BOTH: readonly Case[] = [
  refused('more rights in the cluster', 'POST', `${RBAC}/clusterrolebindings`, {
    ...named('evil'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', ...CONSOLE }],
  }),
  refused('more in its own role', 'PATCH', `${RBAC}/clusterroles/scipion-console`, { rules: [] }),
  refused('rights in an instance', 'POST', `${RBAC}/namespaces/mine/rolebindings`, {
    ...named('evil'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
    subjects: [{ kind: 'ServiceAccount', ...CONSOLE }],
  }),
  refused('a token of another account', 'POST', `${NAMESPACES}/others/serviceaccounts/theirs/token`, {
    spec: {},
  }),
  refused('a Deployment in an instance', 'POST', '/apis/apps/v1/namespaces/mine/deployments', {
    ...named('a'),
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
    },
  }),
  refused('an end of a namespace', 'PUT', `${NAMESPACES}/others/finalize`, { ...named('others'), spec: {} }),
  refused('a node', 'PATCH', '/api/v1/nodes/a', { metadata: { labels: { a: 'b' } } }),
];

const ask = ({ method, path, body }: Case) => {
  const dry = `${path}${path.includes('?') ? '&' : '?'}dryRun=All`;
  return asConsole(method, path.includes('/exec?') ? path : dry, body);
};

describe('with the rights of its ClusterRole', () => {
  beforeAll(async () => {
    await api.request('POST', NAMESPACES, named('mine', { labels: LABELS }));
  });

  test.each(BY_POLICY)('$what is refused by the policy', async (one) => {
    expect((await ask(one)).message).toMatch(POLICY);
  });

  test.each(BY_BOTH)('$what is not its right', async (one) => {
    expect((await ask(one)).status).toBe(403);
  });

  test.each(Object.keys(LABELS) as (keyof typeof LABELS)[])(
    'it takes %s from no namespace, not even of an instance',
    async (key) => {
      const { status, message } = await asConsole('PATCH', `${NAMESPACES}/mine?dryRun=All`, {
        metadata: { labels: { [key]: null } },
      });
      expect([status, message]).toEqual([422, expect.stringMatching(POLICY)]);
      // Where somebody else has taken it away, it may do nothing in there.
      if (key.startsWith('pod-security')) return;
      await api.request('PATCH', `${NAMESPACES}/mine`, { metadata: { labels: { [key]: null } } });
      try {
        const path = `${NAMESPACES}/mine/configmaps?dryRun=All`;
        for (const end = Date.now() + IN_FORCE_MS; ; await sleep(100)) {
          const answer = await asConsole('POST', path, named('a'));
          if (answer.status === 422 && POLICY.test(answer.message)) break;
          if (Date.now() > end) throw new Error(`${answer.status} ${answer.message}`);
        }
        const back = await asConsole('PATCH', `${NAMESPACES}/mine?dryRun=All`, {
          metadata: { labels: LABELS },
        });
        expect([back.status, back.message]).toEqual([422, expect.stringMatching(POLICY)]);
      } finally {
        await api.request('PATCH', `${NAMESPACES}/mine`, { metadata: { labels: LABELS } });
      }
    },
  );

  describe('and whatever other rights it is given', () => {
    beforeAll(async () => {
      await api.request('POST', `${RBAC}/clusterrolebindings`, {
        ...named('everything'),
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'ServiceAccount', ...CONSOLE }],
      });
      for (const end = Date.now() + IN_FORCE_MS; ; await sleep(100)) {
        if ((await asConsole('GET', `${RBAC}/clusterroles/cluster-admin`)).status === 200) break;
        if (Date.now() > end) throw new Error('it has not become an administrator');
      }
    });

    test.each(BY_BOTH)('$what is refused by the policy', async (one) => {
      expect(await ask(one)).toEqual({ status: 422, message: expect.stringMatching(POLICY) });
    });
  });
});

test('a preview by the engine, on this cluster, makes everything and changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'site-preview-'));
  try {
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, api.kubeconfig);
    const prefixed = (values: object) =>
      Object.fromEntries(
        Object.entries(values).map(([key, value]) => [`scipion-site:${key}`, value as string]),
      );
    const stack = openStack(engine, {
      program: SITE_FOLDER,
      stack: 'production',
      stateDirectory: join(folder, 'state'),
      config: prefixed({ ...SITE_CONFIG, namespace: 'another-console' }),
      secrets: prefixed(SITE_SECRETS),
      environment: { KUBECONFIG: kubeconfig },
      cli: 'npm run pulumi --',
    });
    const said: string[] = [];
    const { changes } = await stack.preview((line) => said.push(line));
    expect(changes).toEqual({ create: expect.any(Number) });
    const made = kubernetesObjects((await runSite()).registrations).length;
    expect(changes.create).toBeGreaterThanOrEqual(made);
    expect(said.join('\n')).not.toContain('canary');
    await expect(api.request('GET', `${NAMESPACES}/another-console`)).rejects.toThrow('404');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 240_000);
