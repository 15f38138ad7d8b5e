import { BlockList, isIP } from 'node:net';

/**
 * What every instance keeps to, said without the program's own code: for `pulumi preview --policy-pack policy`, and for
 * the tests, which run the same rules on the recorded program. Pure. A finding never holds a value of a Secret.
 */

export interface Resource {
  /** As Pulumi says it: `kubernetes:apps/v1:StatefulSet`. */
  readonly type: string;
  readonly name: string;
  /** Inputs, or what the cluster made of them. */
  readonly props: Readonly<Record<string, unknown>>;
}

export interface ResourceInStack extends Resource {
  readonly urn: string;
  /** What it waits for. */
  readonly dependencies: readonly { readonly urn: string }[];
}

interface About {
  /** `pulumi` shows it, and a policy configuration can name it. */
  readonly name: string;
  readonly description: string;
  readonly enforcementLevel?: 'advisory' | 'mandatory';
}
export interface ResourceRule extends About {
  /** A sentence for each finding; empty: none. */
  readonly check: (resource: Resource) => string[];
}
export interface StackRule extends About {
  readonly check: (resources: readonly ResourceInStack[]) => string[];
}

type Plain = Readonly<Record<string, unknown>>;
const plain = (value: unknown): Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Plain) : {};
const list = (value: unknown): Plain[] => (Array.isArray(value) ? value.map(plain) : []);

/** The spec of a pod that this resource makes; undefined where it makes none. */
function podOf({ type, props }: Resource): Plain | undefined {
  if (!type.startsWith('kubernetes:')) return undefined;
  const spec = plain(props.spec);
  if (/:Pod$/.test(type)) return spec;
  if (/:PodTemplate$/.test(type)) return plain(plain(props.template).spec);
  if (/:CronJob$/.test(type)) return plain(plain(plain(plain(spec.jobTemplate).spec).template).spec);
  return /:(StatefulSet|Deployment|DaemonSet|ReplicaSet|Job)$/.test(type)
    ? plain(plain(spec.template).spec)
    : undefined;
}

const containersOf = (pod: Plain) => [...list(pod.initContainers), ...list(pod.containers)];

/** A rule about every container of every pod. */
const ofContainers =
  (check: (container: Plain, pod: Plain) => readonly (string | false)[]) =>
  (resource: Resource): string[] => {
    const pod = podOf(resource);
    if (pod === undefined) return [];
    return containersOf(pod).flatMap((container) =>
      told(check(container, pod)).map((finding) => `container ${container.name}: ${finding}`),
    );
  };
const ofPods =
  (check: (pod: Plain) => readonly (string | false)[]) =>
  (resource: Resource): string[] => {
    const pod = podOf(resource);
    return pod === undefined ? [] : told(check(pod));
  };
const told = (findings: readonly (string | false)[]) =>
  findings.filter((finding): finding is string => finding !== false);

/** Kinds of volumes of the Pod Security Standard "restricted". */
const VOLUMES = new Set([
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected'],
  'secret',
]);

const podIsRestricted = ofPods((pod) => [
  ...(['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const).map(
    (key) => pod[key] === true && `${key} is true, expected false`,
  ),
  ...list(pod.volumes).flatMap(({ name, ...kinds }) =>
    Object.keys(kinds)
      .filter((kind) => !VOLUMES.has(kind))
      .map((kind) => `volume ${name}: found the kind ${kind}, expected one of the restricted standard`),
  ),
]);

const containerIsRestricted = ofContainers((container, pod) => {
  const own = plain(container.securityContext);
  const said = { ...plain(pod.securityContext), ...own };
  const capabilities = plain(own.capabilities);
  const added = Array.isArray(capabilities.add) ? capabilities.add : [];
  const dropped = Array.isArray(capabilities.drop) ? capabilities.drop : [];
  const profile = plain(said.seccompProfile).type;
  return [
    said.runAsNonRoot !== true && 'runAsNonRoot is not true',
    said.runAsUser === 0 && 'it runs as user 0',
    own.privileged === true && 'it is privileged',
    own.allowPrivilegeEscalation !== false && 'allowPrivilegeEscalation is not false',
    own.readOnlyRootFilesystem !== true && 'readOnlyRootFilesystem is not true',
    !dropped.includes('ALL') && 'it does not drop ALL capabilities',
    added.length > 0 && `it adds the capabilities ${added.join(', ')}`,
    profile !== 'RuntimeDefault' && profile !== 'Localhost' && 'it has no seccomp profile',
    list(container.ports).some(({ hostPort }) => hostPort !== undefined) && 'it takes a port of the node',
  ];
});

const isBounded = ofContainers(({ resources }) => {
  const { limits, requests } = plain(resources);
  const lacks = (side: unknown, word: string, keys: readonly string[]) =>
    keys.map((key) => plain(side)[key] === undefined && `no ${word} of ${key}`);
  return [
    ...lacks(limits, 'limit', ['cpu', 'memory', 'ephemeral-storage']),
    ...lacks(requests, 'request', ['cpu', 'memory']),
  ];
});

const hasNoSecretInEnvironment = ofContainers(({ env, envFrom }) => [
  ...list(env).map(
    ({ name, valueFrom }) =>
      plain(valueFrom).secretKeyRef !== undefined &&
      `the variable ${name} is from a Secret, which never renews it`,
  ),
  list(envFrom).some(({ secretRef }) => secretRef !== undefined) && 'its environment is from a Secret',
]);

const imageIsNamed = ofContainers(({ image }) => {
  const last = String(image).split('/').at(-1) ?? '';
  return [
    (!/[:@]/.test(last) || last.endsWith(':latest')) &&
      `the image ${image} has no tag of a release and no digest`,
  ];
});

function sessionIsKept({ type, props }: Resource): string[] {
  if (!type.endsWith(':StatefulSet')) return [];
  const spec = plain(props.spec);
  const { type: strategy } = plain(spec.updateStrategy);
  const grace = Number(plain(plain(spec.template).spec).terminationGracePeriodSeconds ?? 30);
  return told([
    strategy !== 'OnDelete' && `updateStrategy is ${strategy ?? 'RollingUpdate'}, expected OnDelete`,
    Number(spec.replicas ?? 1) > 1 && `${spec.replicas} pods, expected at most one that writes the project`,
    grace < 60 && `terminationGracePeriodSeconds is ${grace}, expected 60 or more for the final save`,
  ]);
}

/** What Pulumi does not wait for is deleted without its last save. */
function deletionIsAwaited({ type, props }: Resource): string[] {
  if (!/:(StatefulSet|Deployment|Pod|Job|Namespace)$/.test(type)) return [];
  const annotations = plain(plain(props.metadata).annotations);
  return told([
    annotations['pulumi.com/skipAwait'] === 'true' && 'pulumi.com/skipAwait lets a removal not wait for it',
    /^(background|orphan)$/i.test(String(annotations['pulumi.com/deletionPropagationPolicy'])) &&
      'pulumi.com/deletionPropagationPolicy lets a removal not wait for its pods',
  ]);
}

/** Where clouds hand out credentials to whoever asks from the machine. */
const METADATA_ADDRESSES = [
  ...['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16'],
  ...['fd00:ec2::254', 'fd20:ce::254'],
];

/** `::ffff:a.b.c.d/96+n` is sent as IPv4 and means `a.b.c.d/n`. */
function withoutMapping(cidr: string): string {
  const [network = '', prefix = ''] = cidr.split('/');
  const mapped = new BlockList();
  mapped.addSubnet('::ffff:0:0', 96, 'ipv6');
  if (isIP(network) !== 6 || Number(prefix || 128) < 96 || !mapped.check(network, 'ipv6')) return cidr;
  const [high = '', low = ''] = new URL(`http://[${network}]`).hostname.slice(1, -1).split(':').slice(-2);
  const bytes = [high, low].flatMap((pair) => [
    Number.parseInt(pair, 16) >> 8,
    Number.parseInt(pair, 16) & 255,
  ]);
  return `${bytes.join('.')}/${Number(prefix || 128) - 96}`;
}

function reaches(mapped: string, address: string): boolean {
  const cidr = withoutMapping(mapped);
  const [network = '', prefix = ''] = cidr.split('/');
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  if (isIP(network) !== isIP(address)) return false;
  const block = new BlockList();
  block.addSubnet(network, Number(prefix), family(network));
  return block.check(address, family(address));
}

function metadataIsClosed({ type, props }: Resource): string[] {
  if (!type.endsWith(':NetworkPolicy')) return [];
  return list(plain(props.spec).egress).flatMap((rule) => {
    if (list(rule.to).length === 0) return ['a rule for egress has no peers, so that it opens every address'];
    return list(rule.to).flatMap(({ ipBlock }) => {
      if (ipBlock === undefined) return [];
      const { cidr, except } = plain(ipBlock);
      const closed = Array.isArray(except) ? except.map(String) : [];
      return METADATA_ADDRESSES.filter(
        (address) => reaches(String(cidr), address) && !closed.some((each) => reaches(each, address)),
      ).map((address) => `${cidr} opens the metadata address ${address}`);
    });
  });
}

/** `group/resource verb`: what the broker of the jobs may do in its namespace. */
const RIGHTS_OF_JOBS = new Set([
  'batch/jobs create',
  'batch/jobs list',
  'batch/jobs patch',
  '/pods list',
  '/events list',
]);

function hasFewRights({ type, props }: Resource): string[] {
  if (!/:rbac\.authorization\.k8s\.io\//.test(type)) return [];
  const { name } = plain(props.metadata);
  if (!/:(Role|RoleBinding)$/.test(type) || name !== 'scipion-jobs')
    return [`found an object of RBAC (${name}), expected none but the Role of the jobs`];
  if (type.endsWith(':RoleBinding')) {
    const { kind, name: role } = plain(props.roleRef);
    return kind === 'Role' && role === 'scipion-jobs'
      ? []
      : [`found a binding to ${kind} ${role}, expected to the Role of the jobs`];
  }
  const texts = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
  const rights = list(props.rules).flatMap(({ apiGroups, resources, verbs }) =>
    texts(apiGroups).flatMap((group) =>
      texts(resources).flatMap((resource) => texts(verbs).map((verb) => `${group}/${resource} ${verb}`)),
    ),
  );
  return rights
    .filter((right) => !RIGHTS_OF_JOBS.has(right))
    .map((right) => `found the right ${right}, expected only those of jobs`);
}

function tokenIsForBroker(resource: Resource): string[] {
  const pod = podOf(resource);
  if (pod === undefined) return [];
  const withToken = list(pod.volumes).filter(({ projected }) =>
    list(plain(projected).sources).some(({ serviceAccountToken }) => serviceAccountToken !== undefined),
  );
  const names = new Set(withToken.map(({ name }) => name));
  return containersOf(pod)
    .filter(
      ({ name, volumeMounts }) =>
        name !== 'jobs' && list(volumeMounts).some((mount) => names.has(mount.name)),
    )
    .map(({ name }) => `container ${name} mounts a token of the API server, expected in jobs alone`);
}

export const RESOURCE_RULES: readonly ResourceRule[] = [
  {
    name: 'pod-restricted',
    description: 'Pods keep to the Pod Security Standard "restricted" and share nothing of the node.',
    check: podIsRestricted,
  },
  {
    name: 'container-restricted',
    description: 'Containers run as a user, with no capability and a read-only root.',
    check: containerIsRestricted,
  },
  {
    name: 'container-bounded',
    description: 'Every container has limits and requests, of what it writes on the node too.',
    check: isBounded,
  },
  {
    name: 'scratch-bounded',
    description: 'Every emptyDir has a size.',
    check: ofPods(({ volumes }) =>
      list(volumes).map(
        ({ name, emptyDir }) =>
          emptyDir !== undefined &&
          plain(emptyDir).sizeLimit === undefined &&
          `emptyDir ${name} has no sizeLimit`,
      ),
    ),
  },
  {
    name: 'no-api-token',
    description: 'No token of the API server is mounted where user code runs.',
    check: (resource) => {
      const pod = resource.type.endsWith(':ServiceAccount') ? resource.props : podOf(resource);
      return pod === undefined || pod.automountServiceAccountToken === false
        ? []
        : ['automountServiceAccountToken is not false'];
    },
  },
  {
    name: 'no-rights',
    description: 'An instance has no rights in the cluster but those of its jobs: to make, see and end Jobs.',
    check: hasFewRights,
  },
  {
    name: 'token-for-broker',
    description: 'A token of the API server is mounted in the broker of the jobs alone.',
    check: tokenIsForBroker,
  },
  {
    name: 'secret-as-file',
    description: 'Secrets reach a container as files, which are renewed.',
    check: hasNoSecretInEnvironment,
  },
  { name: 'image-named', description: 'Images have a tag of a release or a digest.', check: imageIsNamed },
  {
    name: 'session-kept',
    description: 'An update ends no session, and a pod has its time for the last save.',
    check: sessionIsKept,
  },
  {
    name: 'deletion-awaited',
    description: 'A removal waits for the pod and the namespace.',
    check: deletionIsAwaited,
  },
  {
    name: 'metadata-closed',
    description: 'No NetworkPolicy opens an address at which a cloud hands out credentials.',
    check: metadataIsClosed,
  },
  {
    name: 'service-inside',
    description: 'Services are inside the cluster; browsers come by the Ingress or the Gateway.',
    check: ({ type, props }) => {
      const kind = plain(props.spec).type ?? 'ClusterIP';
      return type.endsWith(':Service') && kind !== 'ClusterIP'
        ? [`found a Service of type ${kind}, expected ClusterIP`]
        : [];
    },
  },
];

const workloadsOf = (resources: readonly ResourceInStack[]) =>
  resources.filter(({ type }) => type.endsWith(':StatefulSet'));

export const STACK_RULES: readonly StackRule[] = [
  {
    name: 'workload-last',
    description:
      'Nothing depends on the pod, and it on all else: so its last save comes first in a removal, with everything in place.',
    check: (resources) => {
      const objects = resources.filter(({ type }) => type.startsWith('kubernetes:'));
      return workloadsOf(resources).flatMap((workload) => {
        const waited = new Set(workload.dependencies.map(({ urn }) => urn));
        return objects
          .filter(({ urn }) => urn !== workload.urn)
          .flatMap((other) =>
            told([
              other.dependencies.some(({ urn }) => urn === workload.urn) &&
                `${other.name} depends on the pod, so that a removal deletes it before the last save`,
              !waited.has(other.urn) &&
                `the pod does not depend on ${kindOf(other)} ${other.name}, so that a removal may delete it during the last save`,
            ]),
          );
      });
    },
  },
  {
    name: 'eviction-refused',
    description:
      'Nobody empties a node under a session: its work is saved before, by whoever needs the node.',
    check: (resources) => {
      const keeps = resources.some(
        ({ type, props }) => type.endsWith(':PodDisruptionBudget') && plain(props.spec).maxUnavailable === 0,
      );
      return workloadsOf(resources).length > 0 && !keeps
        ? ['there is no PodDisruptionBudget with maxUnavailable 0, expected one']
        : [];
    },
  },
  {
    name: 'network-isolated',
    description:
      'A NetworkPolicy closes what the pod does not need. A site may say otherwise: networkIsolation.',
    enforcementLevel: 'advisory',
    check: (resources) =>
      workloadsOf(resources).length > 0 && !resources.some(({ type }) => type.endsWith(':NetworkPolicy'))
        ? ['there is no NetworkPolicy: the pod reaches everything, and everything it']
        : [],
  },
];

const kindOf = ({ type }: Resource) => type.split(':').at(-1);
