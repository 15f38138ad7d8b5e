import * as z from 'zod';
import { field, json, pattern, size, text, yesOrNo } from './fields.ts';
import {
  CIDR_SHAPE,
  DNS_LABEL,
  isMountPath,
  isProxy,
  isQualifiedName,
  isStorable,
  OBJECT_NAME,
  PATH_SHAPE,
  QUALIFIED_NAME_SHAPE,
  QUANTITY,
} from './grammar.ts';
import { isOpenable } from './networks.ts';

/** What a site says once of where the pod runs, what it gets besides and whom it may reach. */

const GIBIBYTE = 2 ** 30;
const MOST = 50;

const labelValue = z.string().regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/);
const qualifiedName = z.string().regex(QUALIFIED_NAME_SHAPE).refine(isQualifiedName);
const namespaces = z.array(z.string().regex(DNS_LABEL)).max(MOST);

/** The rules between the parts are those of the API server. */
const toleration = z
  .strictObject({
    key: qualifiedName.optional(),
    operator: z.enum(['Exists', 'Equal']).optional(),
    value: labelValue.optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
    tolerationSeconds: z.int().min(0).optional(),
  })
  .refine(({ key, operator }) => key !== undefined || operator === 'Exists')
  .refine(({ value, operator }) => !value || operator !== 'Exists')
  .refine(({ effect, tolerationSeconds }) => tolerationSeconds === undefined || effect === 'NoExecute');

/** As Kubernetes takes it; what is inside is checked by the API server, in a preview with a cluster too. */
const affinity = z.strictObject({
  nodeAffinity: z.record(z.string(), z.unknown()).optional(),
  podAffinity: z.record(z.string(), z.unknown()).optional(),
  podAntiAffinity: z.record(z.string(), z.unknown()).optional(),
});

/** Set by the images; another value would break the desktop. */
const OWN_VARIABLES = 'HOME|USER|LOGNAME|SHELL|PATH|DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|SCIPION_.*';
const variableName = z.string().regex(new RegExp(`^(?!(?:${OWN_VARIABLES})$)[A-Za-z_]\\w{0,127}$`));

/** The volume is called `extra-NAME`, which has 63 characters at most. */
const MAX_VOLUME_NAME = 57;

const extraVolume = z
  .strictObject({
    name: z.string().max(MAX_VOLUME_NAME).regex(DNS_LABEL),
    mountPath: z.string().max(255).regex(PATH_SHAPE).refine(isMountPath),
    claim: z.string().regex(OBJECT_NAME).max(253).optional(),
    configMap: z.string().regex(OBJECT_NAME).max(253).optional(),
    writable: z.boolean().default(false),
  })
  .refine(({ claim, configMap }) => (claim === undefined) !== (configMap === undefined));

export const podFields = {
  scratchSize: field(size(GIBIBYTE / 4, 1024 * GIBIBYTE).default('20Gi'), {
    description:
      'Bound of the home and of /tmp of the desktop, each, on the disk of the node; they are gone with the pod. Whoever writes more has the pod ended and started again.',
    allowed: 'a size from 256Mi to 1Ti',
    example: '50Gi',
    group: 'site',
  }),
  nodeSelector: field(json(z.record(qualifiedName, labelValue)).default({}), {
    description: 'Labels of the nodes on which the pod may run.',
    allowed: 'label names with text values',
    example: '{"example.org/desktops":"true"}',
    group: 'site',
  }),
  tolerations: field(json(z.array(toleration).max(MOST)).default([]), {
    description: 'Taints of nodes that do not keep the pod away.',
    allowed:
      'a list of tolerations of Kubernetes (key, operator, value, effect, tolerationSeconds): a key unless operator is Exists, which has no value; seconds with NoExecute alone',
    example: '[{"key":"example.org/desktops","operator":"Exists","effect":"NoSchedule"}]',
    group: 'site',
  }),
  affinity: field(json(affinity).optional(), {
    description: 'Affinity of the pod, as Kubernetes takes it.',
    allowed: 'nodeAffinity, podAffinity and podAntiAffinity, up to 24 levels deep',
    example: '{"podAntiAffinity":{}}',
    group: 'site',
  }),
  priorityClass: field(pattern(OBJECT_NAME).optional(), {
    description: 'PriorityClass of the pod: what is evicted for others, and what is not.',
    allowed: 'the name of a PriorityClass',
    example: 'desktops',
    group: 'site',
  }),
  runtimeClass: field(pattern(OBJECT_NAME).optional(), {
    description: 'RuntimeClass of the pod, e.g. for GPUs or a sandbox.',
    allowed: 'the name of a RuntimeClass',
    example: 'nvidia',
    group: 'site',
  }),
  userNamespace: field(yesOrNo().default(false), {
    description:
      'Whether the pod has users of its own (`hostUsers: false`): who breaks out of a container has no rights on the node. Off, since the kernel (6.3), the runtime (containerd 2.0, CRI-O 1.25) and the file system of every volume must be able to, which NFS and FUSE are not; a pod that cannot start says so among its events.',
    allowed: 'true or false',
    example: 'true',
    group: 'site',
  }),
  extraResources: field(
    json(
      z.record(
        // Quotas put this in front of the name.
        z
          .string()
          .regex(/^[^/]+\/[^/]+$/)
          .refine(
            (name) =>
              name.includes('/') && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`),
          ),
        z.string().regex(QUANTITY),
      ),
    ).default({}),
    {
      description: 'Other resources for the desktop, guaranteed and limit, e.g. GPUs.',
      allowed: 'names such as "nvidia.com/gpu" with quantities as text',
      example: '{"nvidia.com/gpu":"1"}',
      group: 'site',
    },
  ),
  desktopEnvironment: field(
    json(z.record(variableName, z.string().max(32_768).refine(isStorable))).default({}),
    {
      description: 'Environment variables of the desktop. In clear in the cluster: nothing secret.',
      allowed:
        'names of variables, but those of the image (HOME, PATH, DISPLAY, SCIPION_…), with text values',
      example: '{"OMP_NUM_THREADS":"4"}',
      group: 'site',
    },
  ),
  extraVolumes: field(json(z.array(extraVolume).max(MOST)).default([]), {
    description:
      'Volumes of the namespace that the desktop sees besides, read-only unless `writable` is true. Nothing on them is saved.',
    allowed:
      'a list of {name, mountPath, claim or configMap, writable}, name of up to 57 characters, mountPath absolute and none of the pod’s own',
    example: '[{"name":"references","mountPath":"/mnt/references","claim":"references"}]',
    group: 'site',
  }),
  httpProxy: field(text(isProxy, '^http://[-a-z0-9.]+:[0-9]+/?$').optional(), {
    description:
      'Proxy for the programs of the desktop (HTTP_PROXY, HTTPS_PROXY). The copies and saves speak to Onedata directly.',
    allowed: 'http://HOST:PORT, without name and password; no metadata address of a cloud',
    example: 'http://proxy.example.org:3128',
    group: 'site',
  }),
  onedataNetworks: field(
    json(z.array(z.string().regex(CIDR_SHAPE).refine(isOpenable)).max(MOST)).default([]),
    {
      description:
        'Networks in which Onedata is: the only ones that the pod may reach at `onedataPorts`. None: the internet without its private ranges, so a provider inside the site needs them.',
      allowed:
        'a list of networks in CIDR notation, none of them wholly closed (metadata addresses of clouds)',
      example: '["192.0.2.0/24"]',
      group: 'site',
      defaultNote: 'the internet',
    },
  ),
  dnsNamespaces: field(json(namespaces.min(1)).default(['kube-system']), {
    description: 'Namespaces of the cluster’s resolver, the only one that may be asked, e.g. openshift-dns.',
    allowed: 'a list of namespaces, at least one',
    example: '["kube-system"]',
    group: 'site',
  }),
  metricsNamespaces: field(json(namespaces).default([]), {
    description:
      'Namespaces of the monitoring that may read `/metrics` on ports 8081 (gateway) and 8082 (sync); none: no one may.',
    allowed: 'a list of namespaces',
    example: '["monitoring"]',
    group: 'site',
  }),
};
