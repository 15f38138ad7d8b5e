import { type PathStep, parsePath, touches } from '../diff.ts';
import { isProperties, type Properties } from '../values.ts';

/**
 * Fields whose change needs a new object, as pulumi-kubernetes has them; `group/kind` → paths.
 * @see https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go
 */
const IMMUTABLE: Readonly<Record<string, readonly string[]>> = {
  'apps/DaemonSet': ['spec.selector'],
  'apps/Deployment': ['spec.selector'],
  'apps/StatefulSet': [
    'spec.podManagementPolicy',
    'spec.revisionHistoryLimit',
    'spec.selector',
    'spec.serviceName',
    'spec.volumeClaimTemplates',
  ],
  'batch/Job': ['spec.completions', 'spec.parallelism', 'spec.selector', 'spec.template'],
  '/PersistentVolumeClaim': ['spec.accessModes', 'spec.selector', 'spec.storageClassName', 'spec.volumeName'],
  '/Pod': ['spec'],
  '/ResourceQuota': ['spec.scopes'],
  '/Service': ['spec.clusterIP'],
  'rbac.authorization.k8s.io/ClusterRoleBinding': ['roleRef'],
  'rbac.authorization.k8s.io/RoleBinding': ['roleRef'],
  'storage.k8s.io/StorageClass': ['parameters', 'provisioner'],
};

const ALWAYS = ['kind', 'metadata.name', 'metadata.namespace'];

export interface MutableKinds {
  /** `enableSecretMutable` of the provider: a changed Secret is updated in place. */
  readonly secrets: boolean;
  /** `enableConfigMapMutable`. */
  readonly configMaps: boolean;
}

/** Of the changed paths, those that need a new object. */
export function immutableChanges(
  inputs: Properties,
  changed: readonly PathStep[][],
  mutable: MutableKinds,
): PathStep[][] {
  const patterns = patternsOf(inputs, mutable).map(parsePath);
  return changed.filter((path) => patterns.some((pattern) => touches(pattern, path)));
}

function patternsOf(inputs: Properties, mutable: MutableKinds): readonly string[] {
  const { apiVersion, kind, immutable } = inputs;
  const group = typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  if (group === '' && kind === 'Secret') {
    return [...ALWAYS, 'type', ...(mutable.secrets && immutable !== true ? [] : ['data', 'stringData'])];
  }
  if (group === '' && kind === 'ConfigMap') {
    return [...ALWAYS, ...(mutable.configMaps && immutable !== true ? [] : ['data', 'binaryData'])];
  }
  return [...ALWAYS, ...(IMMUTABLE[`${group}/${String(kind)}`] ?? [])];
}

/** Whether a replacement has the old object's name and place, so that the old one must go first. */
export function sameIdentity(before: Properties, after: Properties): boolean {
  const left = isProperties(before.metadata) ? before.metadata : {};
  const right = isProperties(after.metadata) ? after.metadata : {};
  return left.name === right.name && left.namespace === right.namespace && before.kind === after.kind;
}
