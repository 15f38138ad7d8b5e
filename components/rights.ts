import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { BROKER_RULES } from './manifests/job-policy.ts';

/**
 * What whoever runs `pulumi up` must be allowed, no verb more: written to docs/rbac by `npm run docs`, and compared by a
 * test with what the program registers and its hooks ask.
 */

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * For each object that is made: `get` and `patch` look at it and apply it, `list` and `watch` wait until it is ready or
 * gone. A preview asks the same, with `dryRun`.
 */
const OBJECT_VERBS = ['create', 'delete', 'get', 'list', 'patch', 'watch'];

const objects = (apiGroup: string, ...resources: string[]): Rule => ({
  apiGroups: [apiGroup],
  resources,
  verbs: OBJECT_VERBS,
});

/** Objects of every instance, by API group. */
const OBJECTS: readonly Rule[] = [
  objects('', 'configmaps', 'persistentvolumeclaims', 'secrets', 'serviceaccounts', 'services'),
  objects('apps', 'statefulsets'),
  objects('networking.k8s.io', 'ingresses', 'networkpolicies'),
  objects('policy', 'poddisruptionbudgets'),
  // With scipion:gateway, in place of the Ingress.
  objects('gateway.networking.k8s.io', 'httproutes'),
];

/** What the hooks ask (drain, pause, who is there), and what shows why a pod does not start. */
const HOOKS: readonly Rule[] = [
  { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get', 'list', 'watch'] },
  // A WebSocket is a `get`, which Kubernetes 1.35 takes for a `create` besides.
  { apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get'] },
];

/** Of a namespace that is made for the instance. */
const NAMESPACE: readonly Rule[] = [objects('', 'limitranges', 'namespaces', 'resourcequotas')];

/** Volumes of csi-onedata; a drain reads the volume behind a claim. */
const VOLUMES: readonly Rule[] = [objects('', 'persistentvolumes')];

/** Of the jobs (`scipion:jobs`), beside those above: who gives the broker its rights must have them. */
export const JOBS_RULES: readonly Rule[] = [
  objects('', 'podtemplates'),
  objects('rbac.authorization.k8s.io', 'rolebindings', 'roles'),
  objects('admissionregistration.k8s.io', 'validatingadmissionpolicies', 'validatingadmissionpolicybindings'),
  ...BROKER_RULES.filter(({ apiGroups }) => apiGroups.includes('batch')),
];

/** In one namespace that exists (`scipion:createNamespace false`). */
export const NAMESPACE_RULES: readonly Rule[] = [...OBJECTS, ...HOOKS];
/** Where instances make their own namespaces. */
export const CLUSTER_RULES: readonly Rule[] = [...NAMESPACE_RULES, ...NAMESPACE, ...VOLUMES];

const NAME = 'scipion-deployer';
const JOBS_NAME = 'scipion-deployer-jobs';
const SUBJECT = { kind: 'ServiceAccount', name: NAME, namespace: 'NAMESPACE' };

/** It is nobody's in a pod: whoever deploys has a token of it, or acts in its name. */
const ACCOUNT = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: NAME, namespace: 'NAMESPACE' },
  automountServiceAccountToken: false,
};

const document = (comment: string, ...parts: object[]) =>
  `# Written by \`npm run docs\` from components/rights.ts.\n# ${comment}\n${parts
    .map((part) => stringify(part, { lineWidth: 0 }))
    .join('---\n')}`;

const rbac = (kind: string, metadata: object, more: object) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata,
  ...more,
});

const roleRef = (kind: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: NAME });

/** File name → content. */
export function rightsDocuments(): Readonly<Record<string, string>> {
  const inside = { name: NAME, namespace: 'NAMESPACE' };
  return {
    'namespace-role.yaml': document(
      'For whoever runs `pulumi up` in one existing namespace; put its name in place of NAMESPACE.',
      ACCOUNT,
      rbac('Role', inside, { rules: NAMESPACE_RULES }),
      rbac('RoleBinding', inside, { roleRef: roleRef('Role'), subjects: [SUBJECT] }),
    ),
    'cluster-role.yaml': document(
      'For whoever runs `pulumi up` with a namespace of its own for each instance; put the namespace of its ServiceAccount in place of NAMESPACE.',
      ACCOUNT,
      rbac('ClusterRole', { name: NAME }, { rules: CLUSTER_RULES }),
      rbac('ClusterRoleBinding', { name: NAME }, { roleRef: roleRef('ClusterRole'), subjects: [SUBJECT] }),
    ),
    'jobs-cluster-role.yaml': document(
      'Besides cluster-role.yaml, for whoever runs `pulumi up` of instances with scipion:jobs; put the namespace of its ServiceAccount in place of NAMESPACE.',
      ACCOUNT,
      rbac('ClusterRole', { name: JOBS_NAME }, { rules: JOBS_RULES }),
      rbac(
        'ClusterRoleBinding',
        { name: JOBS_NAME },
        { roleRef: { ...roleRef('ClusterRole'), name: JOBS_NAME }, subjects: [SUBJECT] },
      ),
    ),
  };
}

export const RIGHTS_FOLDER = new URL('../docs/rbac/', import.meta.url);

if (import.meta.main) {
  for (const [name, content] of Object.entries(rightsDocuments())) {
    writeFileSync(new URL(name, RIGHTS_FOLDER), content);
  }
}
