import { readFileSync } from 'node:fs';
import * as pulumi from '@pulumi/pulumi';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { connect } from '../../components/cluster.ts';
import { BROKER_RULES } from '../../components/manifests/job-policy.ts';
import {
  CLUSTER_RULES,
  JOBS_RULES,
  NAMESPACE_RULES,
  RIGHTS_FOLDER,
  type Rule,
  rightsDocuments,
} from '../../components/rights.ts';
import { startApiServer } from '../helpers/api-server.ts';
import { kubernetesObjects, runInstance } from '../helpers/program.ts';

/** `group/resource verb`, sorted. */
type Right = string;

const rightsOf = (rules: readonly Rule[]): Right[] =>
  rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
      ),
    )
    .toSorted();

const plural = (kind: string) =>
  kind
    .toLowerCase()
    .replace(/s$/, 'ses')
    .replace(/([^e])y$/, '$1ies')
    .replace(/([^s])$/, '$1s');
/** What the provider does with an object: apply it, wait for it, delete it and wait again. */
const PROVIDER_VERBS = ['create', 'delete', 'get', 'list', 'patch', 'watch'];
/** It shows what the pod of a StatefulSet waits for, and the events of what it deletes. */
const PROVIDER_WAITS = ['/events list', '/events watch', '/pods get', '/pods list', '/pods watch'];

async function objectRights(
  config: Record<string, string>,
  secrets: Record<string, string> = {},
): Promise<Right[]> {
  const run = await runInstance({ config, secretConfig: secrets });
  expect(run.errors).toEqual([]);
  return kubernetesObjects(run.registrations).flatMap(({ type }) => {
    const [, group = '', , kind = ''] = /^kubernetes:(?:(.+)\/)?([^/:]+):(\w+)$/.exec(type) ?? [];
    return PROVIDER_VERBS.map((verb) => `${group === 'core' ? '' : group}/${plural(kind)} ${verb}`);
  });
}

const VERBS: Readonly<Record<string, string>> = { GET: 'get', PATCH: 'patch', DELETE: 'delete', EXEC: 'get' };

/** What the hooks ask, by everything that they can ask with. */
async function hookRights(): Promise<Right[]> {
  await using api = await startApiServer({ exec: (socket) => socket.close() });
  pulumi.runtime.setAllConfig({ 'kubernetes:kubeconfig': api.kubeconfig });
  const cluster = connect();
  const calls: Record<keyof typeof cluster, () => Promise<unknown>> = {
    pod: () => cluster.pod('n', 'o'),
    statefulSet: () => cluster.statefulSet('n', 'o'),
    claim: () => cluster.claim('n', 'o'),
    volume: () => cluster.volume('o'),
    namespace: () => cluster.namespace('n'),
    scale: () => cluster.scale('n', 'o', 0),
    endPod: () => cluster.endPod('n', 'o', 1),
    annotateClaim: () => cluster.annotateClaim('n', 'o', {}),
    exec: () =>
      cluster.exec({ namespace: 'n', pod: 'o', container: 'c', command: ['true'] }, () => undefined),
  };
  for (const call of Object.values(calls)) await call().catch(() => undefined);
  return api.requests.map((request) => {
    const [method = '', path = ''] = request.split(' ');
    const [, group = '', rest = ''] = /^\/(?:api|apis\/([^/]+))\/v\d+\/([^?]*)/.exec(path) ?? [];
    const parts = rest.split('/');
    const [resource, , sub] = parts[0] === 'namespaces' && parts.length > 2 ? parts.slice(2) : parts;
    return `${group}/${resource}${sub ? `/${sub}` : ''} ${VERBS[method]}`;
  });
}

/** Answered with "forbidden", these are done without. */
const OPTIONAL = ['/persistentvolumes get', '/namespaces get'];
/** Kubernetes 1.35 asks for it when a WebSocket is opened. */
const EXEC = ['/pods/exec create', '/pods/exec get'];

const unique = (rights: readonly Right[]) => [...new Set(rights)].toSorted();
const EXISTING = { createNamespace: 'false' };

describe('rights', () => {
  test('in one existing namespace are what the program needs, no verb more and none less', async () => {
    const needed = [
      ...(await objectRights(EXISTING)),
      ...(await objectRights({ ...EXISTING, gateway: 'net/public', tlsIssuer: '' })),
      ...(await hookRights()).filter((right) => !OPTIONAL.includes(right)),
      ...PROVIDER_WAITS,
      ...EXEC,
    ];
    expect(rightsOf(NAMESPACE_RULES)).toEqual(unique(needed));
  });

  test('of those who make namespaces too', async () => {
    const csi = { sourceMount: 'csi-onedata', projectMount: 'csi-onedata' };
    const needed = [
      ...(await objectRights({})),
      ...(await objectRights(csi)),
      ...(await objectRights({ gateway: 'net/public', tlsIssuer: '' })),
      ...(await hookRights()),
      ...PROVIDER_WAITS,
      ...EXEC,
    ];
    expect(rightsOf(CLUSTER_RULES)).toEqual(unique(needed));
  });

  test('of those who have jobs besides', async () => {
    const jobs = { jobs: 'true', apiServerNetworks: '["192.0.2.1/32"]' };
    const others = rightsOf(CLUSTER_RULES);
    const needed = [...(await objectRights(jobs)), ...rightsOf(BROKER_RULES)];
    expect(rightsOf(JOBS_RULES)).toEqual(unique(needed.filter((right) => !others.includes(right))));
  });

  test.each(Object.entries(rightsDocuments()))('%s makes whom it gives rights to', (_name, content) => {
    const objects = parseAllDocuments(content).map((document) => document.toJS());
    const nameOf = (kind: string, { name, namespace }: { name: string; namespace: string }) =>
      `${kind} ${namespace}/${name}`;
    const made = objects.map(({ kind, metadata }) => nameOf(kind, metadata));
    const subjects = objects.flatMap((object) => object.subjects ?? []);
    expect(subjects).toHaveLength(1);
    for (const subject of subjects) expect(made).toContain(nameOf(subject.kind, subject));
  });

  test.each(Object.entries(rightsDocuments()))(
    'docs/rbac/%s is what `npm run docs` writes',
    (name, content) => {
      expect(readFileSync(new URL(name, RIGHTS_FOLDER), 'utf8')).toBe(content);
    },
  );
});
