import { joined, list, text } from '../../components/manifests/cel.ts';
import { labels as instanceLabels } from '../../components/manifests/metadata.ts';
import { POD_SECURITY, podSecurityLabels } from '../../components/manifests/namespace.ts';
import { CSI } from '../../components/manifests/onedata-access.ts';
import { CLUSTER_RULES } from '../../components/rights.ts';
import { NAMES } from '../names.ts';
import type { SiteSettings } from '../schema.ts';
import { labels, metadata } from './metadata.ts';

/**
 * What the console may do in the cluster, twice: a ClusterRole, which knows no labels and so counts for every namespace,
 * and an admission policy that holds whatever it changes to the namespaces of instances. Reading passes no admission.
 */

export const accountManifest = ({ namespace }: SiteSettings) => ({
  metadata: metadata(namespace, NAMES.console),
  automountServiceAccountToken: false,
});

const clusterMetadata = { name: NAMES.rights, labels: labels('rights') };

export const clusterRoleManifest = () => ({
  metadata: clusterMetadata,
  rules: CLUSTER_RULES.map(({ apiGroups, resources, verbs }) => ({
    apiGroups: [...apiGroups],
    resources: [...resources],
    verbs: [...verbs],
  })),
});

export const clusterRoleBindingManifest = ({ namespace }: SiteSettings) => ({
  metadata: clusterMetadata,
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAMES.rights },
  subjects: [{ kind: 'ServiceAccount', name: NAMES.console, namespace }],
});

const { 'app.kubernetes.io/part-of': partOf = '', 'app.kubernetes.io/component': component = '' } =
  instanceLabels({ namespace: '' }, 'namespace');

const labelIs = (object: string, key: string, value: string) =>
  `dyn(${object}.metadata).?labels[?${text(key)}].orValue('') == ${value}`;

/** Of a namespace that is there already, an administrator sets these two. */
const isOfInstance = (namespace: string) =>
  joined(
    labelIs(namespace, 'app.kubernetes.io/part-of', text(partOf)),
    labelIs(namespace, 'app.kubernetes.io/component', text(component)),
  );

/** The console takes pods of an instance no right that it has not: a privileged one would have the node. */
const isBounded = (namespace: string) =>
  joined(
    ...Object.entries(podSecurityLabels())
      .filter(([key]) => key.includes('/enforce'))
      .map(([key, value]) => labelIs(namespace, key, text(value))),
  );

/** A volume of another kind could be a folder of a node. */
const isSpace = (volume: string) =>
  joined(
    labelIs(volume, 'app.kubernetes.io/part-of', text(partOf)),
    `dyn(${volume}.spec).?csi.?driver.orValue('') == ${text(CSI)}`,
  );

/** What is there before and after a request, as far as there is something. */
const beforeAndAfter = (holds: (object: string) => string) =>
  joined(
    `request.operation == 'DELETE' || (${holds('object')})`,
    `request.operation == 'CREATE' || (${holds('oldObject')})`,
  );

const kindsOf = () =>
  CLUSTER_RULES.flatMap(({ apiGroups, resources, verbs }) =>
    verbs.some((verb) => ['create', 'delete', 'patch'].includes(verb))
      ? apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`))
      : [],
  );

const isKind = (...resources: string[]) =>
  `request.resource.group == '' && request.resource.resource in ${list(resources)}`;

/** It holds for whoever has a token of the console's account, whatever other rights that is given. */
export function policyManifest({ namespace }: SiteSettings) {
  return {
    metadata: clusterMetadata,
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }],
      },
      matchConditions: [
        {
          name: 'console',
          expression: `request.userInfo.username == ${text(`system:serviceaccount:${namespace}:${NAMES.console}`)}`,
        },
      ],
      variables: [
        {
          name: 'kind',
          expression: `request.resource.group + '/' + request.resource.resource + (request.?subResource.orValue('') == '' ? '' : '/' + request.subResource)`,
        },
      ],
      validations: [
        {
          expression: `variables.kind in ${list(kindsOf())}`,
          message: 'The console changes only what an instance consists of.',
        },
        {
          expression: `(${isKind('namespaces', 'persistentvolumes')}) || (namespaceObject != null && (${isOfInstance('namespaceObject')}))`,
          message: 'The console changes something only in namespaces of instances.',
        },
        {
          expression: `!(${isKind('namespaces')}) || (${beforeAndAfter(isOfInstance)})`,
          message:
            'The console makes, changes and removes only namespaces of instances, and takes no label of them away.',
        },
        {
          expression: `!(${isKind('namespaces')}) || request.operation == 'DELETE' || (${isBounded('object')})`,
          message: `A namespace of an instance has Pod Security ${POD_SECURITY}.`,
        },
        {
          expression: `!(${isKind('persistentvolumes')}) || (${beforeAndAfter(isSpace)})`,
          message: `The console makes, changes and removes only volumes of ${CSI} that show the space of an instance.`,
        },
      ],
    },
  };
}

export const policyBindingManifest = () => ({
  metadata: clusterMetadata,
  spec: { policyName: NAMES.rights, validationActions: ['Deny'] },
});
