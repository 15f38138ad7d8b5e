import { JOB_MARKS, JOB_NAME_PREFIX } from '../../sidecar/contract/jobs.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { admissionNames, NAMES } from '../names.ts';
import { joined, list, text } from './cel.ts';
import { KEEP_ENDED_SECONDS } from './job.ts';
import { jobLabels, labels, metadata } from './metadata.ts';

/**
 * What the broker may do in the cluster, twice: a Role with the verbs that it uses, and admission policies for what no Role
 * can say. They hold for whoever has its token: a Job of exactly the template's shape, and its cancellation.
 */

export function jobAccountManifest(config: InstanceConfig) {
  return { metadata: metadata(config, NAMES.jobAccount, 'jobs'), automountServiceAccountToken: false };
}

export const BROKER_RULES = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'list', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
  // Why a job has no pod, e.g. the quota, is told by events alone.
  { apiGroups: [''], resources: ['events'], verbs: ['list'] },
];

export function jobsRoleManifest(config: InstanceConfig) {
  return { metadata: metadata(config, NAMES.jobsRole, 'jobs'), rules: BROKER_RULES };
}

export function jobsRoleBindingManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.jobsRole, 'jobs'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: NAMES.jobsRole },
    subjects: [{ kind: 'ServiceAccount', name: NAMES.serviceAccount, namespace: config.namespace }],
  };
}

/** Of objects outside every namespace. */
const clusterMetadata = (config: InstanceConfig, name: string) => ({
  name,
  labels: labels(config, 'jobs'),
});

interface Validation {
  readonly expression: string;
  readonly message: string;
}

/** Two maps are the same but for some keys. */
const sameBut = (one: string, other: string, ...keys: string[]) =>
  joined(
    `${one}.all(k, k in ${list(keys)} || (k in ${other} && ${one}[k] == ${other}[k]))`,
    `${other}.all(k, k in ${list(keys)} || k in ${one})`,
  );

const part = (object: string, name: string) => `dyn(${object}).?${name}.orValue({})`;

const whoseRequests = ({ namespace }: InstanceConfig) => [
  {
    name: 'broker',
    expression: `request.userInfo.username == ${text(`system:serviceaccount:${namespace}:${NAMES.serviceAccount}`)}`,
  },
];

const inNamespace = ({ namespace }: InstanceConfig) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
});

/** What a cancellation may change. */
const CANCELLED: readonly Validation[] = [
  {
    expression: `request.operation != 'UPDATE' || (${joined(
      sameBut('dyn(object.spec)', 'dyn(oldObject.spec)', 'activeDeadlineSeconds'),
      'object.spec.activeDeadlineSeconds <= oldObject.spec.activeDeadlineSeconds',
      ...['labels', 'ownerReferences', 'finalizers'].map(
        (name) => `dyn(object.metadata).?${name} == dyn(oldObject.metadata).?${name}`,
      ),
      sameBut(
        part('object.metadata', 'annotations'),
        part('oldObject.metadata', 'annotations'),
        JOB_MARKS.cancelledAt,
        JOB_MARKS.cancelledBecause,
      ),
    )})`,
    message: 'Of a job the broker may shorten the time and note a cancellation, and change nothing else.',
  },
];

/** Whatever other rights its account may be given: this is all that it writes. */
export function rightsPolicyManifest(config: InstanceConfig) {
  return {
    metadata: clusterMetadata(config, admissionNames(config.namespace).rights),
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        ...inNamespace(config),
        resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }],
      },
      matchConditions: whoseRequests(config),
      validations: [
        {
          expression: joined(
            `request.resource.group == 'batch' && request.resource.resource == 'jobs'`,
            `request.?subResource.orValue('') == ''`,
            `request.operation in ['CREATE', 'UPDATE']`,
          ),
          message: 'The broker of the jobs may make and cancel Jobs, and nothing else.',
        },
        ...CANCELLED,
      ],
    },
  };
}

/** Set by Kubernetes in the pods of every Job. */
const CONTROLLER_LABELS = [
  ...['controller-uid', 'job-name'],
  ...['batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name'],
];

/** Fields of a Job that one of the broker has; whatever else there is, now or in a later Kubernetes, is refused. */
const JOB_FIELDS = [
  ...['parallelism', 'completions', 'completionMode', 'backoffLimit', 'activeDeadlineSeconds', 'suspend'],
  ...['ttlSecondsAfterFinished', 'selector', 'manualSelector', 'podReplacementPolicy', 'template'],
];

const classLiteral = ({ jobClasses }: InstanceConfig) =>
  `{${jobClasses
    .map(
      ({ name, cpus, memory, hours }) =>
        `${text(name)}: {'cpu': dyn(quantity(${text(String(cpus))})), 'memory': dyn(quantity(${text(memory)})), 'seconds': dyn(${hours * 3600})}`,
    )
    .join(', ')}}`;

const atMost = (what: 'cpu' | 'memory') =>
  ['limits', 'requests']
    .map((side) => `quantity(variables.resources.${side}.${what}).compareTo(variables.class.${what}) <= 0`)
    .join(' && ');

function shape(config: InstanceConfig): Validation[] {
  const ownLabels = [JOB_MARKS.id, JOB_MARKS.class];
  const own = Object.keys(jobLabels(config));
  return [
    {
      expression: `variables.className in variables.classes`,
      message: 'The job has no class of this instance.',
    },
    {
      expression: joined(
        `object.metadata.name == ${text(JOB_NAME_PREFIX)} + variables.labels[${text(JOB_MARKS.id)}]`,
        `variables.labels[${text(JOB_MARKS.id)}].matches('^[1-9][0-9]{14}$')`,
        `variables.labels.all(k, k in ${list([...own, ...ownLabels, JOB_MARKS.held])})`,
        `dyn(object.metadata).?finalizers.orValue([]).size() == 0`,
        `dyn(object.metadata).?ownerReferences.orValue([]).size() == 1`,
        `object.metadata.ownerReferences.all(o, o.kind == 'StatefulSet' && o.name == ${text(NAMES.statefulSet)} && !dyn(o).?controller.orValue(false) && !dyn(o).?blockOwnerDeletion.orValue(false))`,
      ),
      message: 'Name, labels or owner of the job are not those of a job of this instance.',
    },
    {
      expression: joined(
        `dyn(object.spec).all(k, k in ${list(JOB_FIELDS)})`,
        'object.spec.parallelism == 1 && object.spec.completions == 1 && object.spec.backoffLimit == 0',
        `object.spec.ttlSecondsAfterFinished == ${KEEP_ENDED_SECONDS}`,
        `object.spec.activeDeadlineSeconds >= 1 && object.spec.activeDeadlineSeconds <= variables.class.seconds`,
        `!dyn(object.spec).?suspend.orValue(false) && !dyn(object.spec).?manualSelector.orValue(false)`,
        `dyn(object.spec).?completionMode.orValue('NonIndexed') == 'NonIndexed'`,
      ),
      message: 'Number, repetition or time of the job are not those of its class.',
    },
    {
      expression: joined(
        sameBut('variables.templateLabels', 'variables.wantedLabels', ...ownLabels, ...CONTROLLER_LABELS),
        ...ownLabels.map((key) => `variables.templateLabels[${text(key)}] == variables.labels[${text(key)}]`),
        sameBut('variables.templateAnnotations', 'variables.wantedAnnotations', JOB_MARKS.request),
        `dyn(object.spec.template).all(k, k in ['metadata', 'spec'])`,
        `dyn(object.spec.template.metadata).all(k, k in ['labels', 'annotations', 'creationTimestamp'])`,
      ),
      message: 'Labels or annotations of the pod of the job are not those of its template.',
    },
    {
      expression: joined(
        sameBut('variables.pod', 'variables.wantedPod', 'containers'),
        'variables.pod.containers.size() == 1',
        sameBut('variables.pod.containers[0]', 'variables.wantedPod.containers[0]', 'resources'),
      ),
      message: `The pod of the job is not that of the PodTemplate ${NAMES.jobTemplate}.`,
    },
    {
      expression: joined(
        `variables.resources.all(k, k in ['limits', 'requests'])`,
        ...['limits', 'requests'].map((side) =>
          sameBut(`variables.resources.${side}`, `variables.wantedResources.${side}`, 'cpu', 'memory'),
        ),
        atMost('cpu'),
        atMost('memory'),
      ),
      message: 'The job has more than its class, or other resources.',
    },
  ];
}

/**
 * Compares each Job of the broker with the PodTemplate, whole: what Kubernetes adds to a pod in a later version is in both,
 * and what only a broken-in broker would add is in one.
 */
export function shapePolicyManifest(config: InstanceConfig) {
  const className = `variables.labels[?${text(JOB_MARKS.class)}].orValue('')`;
  return {
    metadata: clusterMetadata(config, admissionNames(config.namespace).shape),
    spec: {
      failurePolicy: 'Fail',
      paramKind: { apiVersion: 'v1', kind: 'PodTemplate' },
      matchConstraints: {
        ...inNamespace(config),
        resourceRules: [
          { apiGroups: ['batch'], apiVersions: ['*'], operations: ['CREATE'], resources: ['jobs'] },
        ],
      },
      matchConditions: whoseRequests(config),
      variables: [
        { name: 'labels', expression: part('object.metadata', 'labels') },
        { name: 'className', expression: className },
        { name: 'classes', expression: classLiteral(config) },
        { name: 'class', expression: 'variables.classes[variables.className]' },
        { name: 'pod', expression: 'dyn(object.spec.template.spec)' },
        { name: 'wantedPod', expression: 'dyn(params.template.spec)' },
        { name: 'templateLabels', expression: part('object.spec.template.metadata', 'labels') },
        { name: 'wantedLabels', expression: part('params.template.metadata', 'labels') },
        { name: 'templateAnnotations', expression: part('object.spec.template.metadata', 'annotations') },
        { name: 'wantedAnnotations', expression: part('params.template.metadata', 'annotations') },
        { name: 'resources', expression: 'dyn(variables.pod.containers[0].resources)' },
        { name: 'wantedResources', expression: 'dyn(variables.wantedPod.containers[0].resources)' },
      ],
      validations: shape(config),
    },
  };
}

export function policyBindingManifest(config: InstanceConfig, kind: 'rights' | 'shape') {
  const name = admissionNames(config.namespace)[kind];
  return {
    metadata: clusterMetadata(config, name),
    spec: {
      policyName: name,
      validationActions: ['Deny'],
      ...(kind === 'rights'
        ? {}
        : {
            paramRef: {
              name: NAMES.jobTemplate,
              namespace: config.namespace,
              // Without a shape to compare with there is no job.
              parameterNotFoundAction: 'Deny',
            },
          }),
    },
  };
}
