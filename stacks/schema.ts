import * as z from 'zod';
import { cpuMillis, durationSeconds, field, json, pattern, size, wholeNumber, yesOrNo } from './fields.ts';
import { describeDuration } from './units.ts';
import { DEFAULT_VERSION, knownVersions, SCIPION_VERSIONS } from './versions.ts';

/**
 * Every key of a stack: its form, default, description. The reference in docs/, the JSON schema and the error messages
 * come from here.
 */

/** DNS label, RFC 1123. */
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const HOST = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[1-9]\d{0,4})?$/;
const NAMESPACED_NAME = /^[a-z0-9][-a-z0-9]*\/[a-z0-9][-a-z0-9.]*$/;
const IMAGE = /^[a-z0-9][a-zA-Z0-9._:/@-]*[a-zA-Z0-9]$/;
const SPACE_ID = /^[A-Za-z0-9_-]+$/;
/** Not only slashes. */
const GLOB = /[^/]/;
const SPACE_MOUNT = /^(csi-onedata|claim\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/;

const GIBIBYTE = 2 ** 30;
const HOUR = 3600;

/** Above these an instance does not fit in the usual quota of 12 guaranteed and 16 limit CPUs beside its helpers. */
export const MOST_CPU_MILLIS = { guaranteed: 10_000, limit: 14_000 } as const;

const isReservedNamespace = (name: string) => name === 'default' || name.startsWith('kube-');

const userFields = {
  namespace: field(
    pattern(DNS_LABEL, 63).refine((name) => !isReservedNamespace(name), 'not allowed'),
    {
      description:
        'Namespace of the instance; no other instance may be in it. Fixed once the instance exists.',
      allowed: 'up to 63 of a-z, 0-9 and "-", not at the ends; not "default", not "kube-…"',
      example: 'jane-doe',
      group: 'user',
      defaultNote: "the stack's name",
    },
  ),
  version: field(
    z
      .string()
      .refine((name) => Object.hasOwn(SCIPION_VERSIONS, name))
      .default(DEFAULT_VERSION),
    {
      description: 'Scipion release.',
      allowed: `one of ${knownVersions().join(', ')}`,
      example: DEFAULT_VERSION,
      group: 'user',
    },
  ),
  onedataHost: field(pattern(HOST, 260).optional(), {
    description:
      'Host name of the Oneprovider that supports both spaces. Without it each token leads to its zone, and the zone to a provider of its space, which is kept; where several could be written, name the one that holds the work. csi-onedata needs it.',
    allowed: 'a host name without scheme and path, with ":port" only where it is not 443',
    example: 'provider.example.org',
    group: 'user',
    defaultNote: 'found from each token',
  }),
  sourceSpaceId: field(pattern(SPACE_ID), {
    description: 'Id of the space with the raw data. It is copied at the start and never written.',
    allowed: 'the id of a space (letters, digits, "-", "_"), not its name',
    example: '5c6b2c8f1e0d4a7b9f3e',
    group: 'user',
  }),
  projectSpaceId: field(pattern(SPACE_ID), {
    description:
      'Id of the space that keeps the work: restored at the start, saved on an interval and at the end.',
    allowed: 'the id of a space (letters, digits, "-", "_"), not its name',
    example: '91d7e4b3a2c05f6e8d1b',
    group: 'user',
  }),
  onedataSecret: field(pattern(DNS_NAME).optional(), {
    description:
      'Name of a Secret in the namespace with the keys `source-token` and `project-token`, in place of the two tokens here, which then never enter Pulumi. For an existing namespace.',
    allowed: 'the name of a Secret',
    example: 'my-onedata-tokens',
    group: 'user',
  }),
  sourceSecret: field(pattern(DNS_NAME).optional(), {
    description:
      'Name of a Secret in the namespace in the form of csi-onedata, whose key `onedata_token` holds the token of the source space, in place of sourceToken. Its `host` and `space_id` are for the driver; the two settings above count here. For an existing namespace.',
    allowed: 'the name of a Secret',
    example: 'secret-onedata-source',
    group: 'user',
  }),
  projectSecret: field(pattern(DNS_NAME).optional(), {
    description: 'The same for the project space, in place of projectToken.',
    allowed: 'the name of a Secret',
    example: 'secret-onedata-project',
    group: 'user',
  }),
  sourceMount: field(pattern(SPACE_MOUNT).optional(), {
    description:
      'The source space is read from a volume in place of REST: `claim/NAME`, an existing claim that shows the whole space (needs no token here), or `csi-onedata`, for which volume, claim and Secret are made.',
    allowed: 'csi-onedata, or "claim/" and the name of a PersistentVolumeClaim',
    example: 'csi-onedata',
    group: 'user',
    defaultNote: 'REST',
  }),
  projectMount: field(pattern(SPACE_MOUNT).optional(), {
    description: 'The same for the project space, which is then also written there.',
    allowed: 'csi-onedata, or "claim/" and the name of a PersistentVolumeClaim',
    example: 'csi-onedata',
    group: 'user',
    defaultNote: 'REST',
  }),
  sourceInclude: field(json(z.array(z.string().regex(GLOB).max(1024))).default([]), {
    description:
      'Glob patterns, from the root of the source space, of what is copied; a directory stands for all that is in it. None: everything.',
    allowed: 'a list of patterns with *, **, ?, [a-z], {a,b}',
    example: '["raw/**/*.mrc"]',
    group: 'user',
  }),
  sourceExclude: field(json(z.array(z.string().regex(GLOB).max(1024))).default([]), {
    description: 'Glob patterns of what is not copied from the source space, although it is included.',
    allowed: 'a list of patterns with *, **, ?, [a-z], {a,b}',
    example: '["**/thumbnails"]',
    group: 'user',
  }),
  cpuGuaranteed: field(cpuMillis(200, MOST_CPU_MILLIS.guaranteed).default(2000), {
    description: 'CPUs that are always there for the instance, its helpers included.',
    allowed: 'a number of CPUs from 0.2 to 10',
    example: '4',
    group: 'user',
    defaultNote: '2',
  }),
  cpuLimit: field(cpuMillis(500, MOST_CPU_MILLIS.limit).default(4000), {
    description: 'CPUs that the instance may use where others leave them.',
    allowed: 'a number of CPUs from 0.5 to 14, not below cpuGuaranteed',
    example: '8',
    group: 'user',
    defaultNote: '4',
  }),
  memory: field(size(2 * GIBIBYTE).default('8Gi'), {
    description: 'Memory of the instance, guaranteed and limit.',
    allowed: 'a size of at least 2Gi',
    example: '16Gi',
    group: 'user',
  }),
  sourceVolumeSize: field(size(GIBIBYTE).default('100Gi'), {
    description: 'Size of the volume that takes the copy of the source space. It can grow later, not shrink.',
    allowed: 'a size of at least 1Gi',
    example: '500Gi',
    group: 'user',
  }),
  projectVolumeSize: field(size(GIBIBYTE).default('50Gi'), {
    description: 'Size of the volume that holds the projects. It can grow later, not shrink.',
    allowed: 'a size of at least 1Gi',
    example: '100Gi',
    group: 'user',
  }),
  autosaveInterval: field(durationSeconds(10, 24 * HOUR).default(300), {
    description: 'Time between two saves of the project to its space.',
    allowed: 'a duration from 10 seconds to 1 day',
    example: '10 minutes',
    group: 'user',
    defaultNote: describeDuration(300),
  }),
  downloadBandwidth: field(size(1_000_000).optional(), {
    description: 'Most bytes a second that are copied from both spaces together.',
    allowed: 'a size of at least 1M, for each second',
    example: '50Mi',
    group: 'user',
    defaultNote: 'as many as the line gives',
  }),
  uploadBandwidth: field(size(1_000_000).optional(), {
    description: 'Most bytes a second that saves send to the project space.',
    allowed: 'a size of at least 1M, for each second',
    example: '20Mi',
    group: 'user',
    defaultNote: 'as many as the line gives',
  }),
  syncPriority: field(z.enum(['low', 'normal']).default('low'), {
    description:
      "Priority (nice) of the process that copies and saves, at the processor and the disk, where its node compares processes of different containers. Its container's guaranteed share of the CPUs stays, so a save always goes on.",
    allowed: 'low or normal',
    example: 'normal',
    group: 'user',
  }),
  finalSaveGrace: field(durationSeconds(60, 24 * HOUR).default(HOUR), {
    description:
      'Longest time that a pod that is told to stop may take for the final save. A removal saves before that and is not bound by it.',
    allowed: 'a duration from 60 seconds to 1 day',
    example: '2 hours',
    group: 'user',
    defaultNote: describeDuration(HOUR),
  }),
  paused: field(yesOrNo().default(false), {
    description: 'Stops the pod after a save and keeps both volumes; set to false to go on.',
    allowed: 'true or false',
    example: 'true',
    group: 'user',
  }),
  discardUnsavedChanges: field(yesOrNo().default(false), {
    description: 'Removes the instance although its last work is not saved. That work is lost.',
    allowed: 'true or false',
    example: 'true',
    group: 'user',
  }),
};

const siteFields = {
  domain: field(pattern(DNS_NAME), {
    description: 'The instance is at `https://scipion.<namespace>.<domain>`.',
    allowed: 'a DNS name',
    example: 'dyn.example.org',
    group: 'site',
  }),
  publicPort: field(wholeNumber(1, 65_535).default(443), {
    description: 'Port at which browsers reach the ingress controller.',
    allowed: 'a port from 1 to 65535',
    example: '8443',
    group: 'site',
  }),
  ingressClass: field(pattern(DNS_NAME), {
    description: 'Ingress class of the cluster.',
    allowed: 'the name of an IngressClass',
    example: 'nginx',
    group: 'site',
  }),
  ingressAnnotations: field(json(z.record(z.string().min(1), z.string())).default({}), {
    description: 'Annotations of the Ingress, for what its controller needs (WebSockets, time-outs).',
    allowed: 'names with text values',
    example: '{"projectcontour.io/websocket-routes":"/"}',
    group: 'site',
  }),
  gateway: field(pattern(NAMESPACED_NAME).optional(), {
    description:
      'Gateway of the Gateway API that leads to the instance by an HTTPRoute, in place of an Ingress. Its listener has the certificate.',
    allowed: 'the namespace and name of a Gateway, with "/" between',
    example: 'networking/public',
    group: 'site',
  }),
  waitForIngress: field(yesOrNo().default(false), {
    description:
      'Whether `pulumi up` waits until the Ingress has an address; not every controller tells one.',
    allowed: 'true or false',
    example: 'true',
    group: 'site',
  }),
  tlsIssuer: field(pattern(DNS_NAME).optional(), {
    description:
      'ClusterIssuer of cert-manager that makes the certificate. Without it the Secret below must exist.',
    allowed: 'the name of a ClusterIssuer',
    example: 'letsencrypt-prod',
    group: 'site',
  }),
  tlsSecretName: field(pattern(DNS_NAME).default('scipion-tls'), {
    description: 'Secret with the certificate.',
    allowed: 'the name of a Secret',
    example: 'scipion-tls',
    group: 'site',
  }),
  createNamespace: field(yesOrNo().default(true), {
    description:
      'false: the namespace exists and stays; quota, limits and Pod Security labels are then its owner’s affair.',
    allowed: 'true or false',
    example: 'false',
    group: 'site',
  }),
  quotaCpuGuaranteed: field(cpuMillis(200, 1_000_000).default(12_000), {
    description: 'CPUs that all pods of the namespace may have guaranteed.',
    allowed: 'a number of CPUs from 0.2 to 1000, not below cpuGuaranteed',
    example: '12',
    group: 'site',
    defaultNote: '12',
  }),
  quotaCpuLimit: field(cpuMillis(500, 1_000_000).default(16_000), {
    description: 'Limit of CPUs of all pods of the namespace.',
    allowed: 'a number of CPUs from 0.5 to 1000, not below cpuLimit',
    example: '16',
    group: 'site',
    defaultNote: '16',
  }),
  storageClass: field(pattern(DNS_NAME).optional(), {
    description: 'Storage class of both volumes. Fixed once the instance exists.',
    allowed: 'the name of a StorageClass',
    example: 'csi-rbd',
    group: 'site',
    defaultNote: "the cluster's default",
  }),
  imageRepository: field(pattern(IMAGE), {
    description: 'Where the images are: `<imageRepository>/desktop` and `<imageRepository>/sidecar`.',
    allowed: 'a repository without tag',
    example: 'registry.example.org/scipion',
    group: 'site',
  }),
  desktopImage: field(pattern(IMAGE).optional(), {
    description: 'Desktop image in full, best with its digest, in place of the one of the version.',
    allowed: 'an image reference',
    example: 'registry.example.org/scipion/desktop@sha256:…',
    group: 'site',
    defaultNote: '`<imageRepository>/desktop:<version>`',
  }),
  sidecarImage: field(pattern(IMAGE).optional(), {
    description: 'Sidecar image in full, best with its digest.',
    allowed: 'an image reference',
    example: 'registry.example.org/scipion/sidecar@sha256:…',
    group: 'site',
    defaultNote: '`<imageRepository>/sidecar:<release>`',
  }),
  imagePullPolicy: field(z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'), {
    description: 'When the node fetches the images.',
    allowed: 'IfNotPresent, Always or Never',
    example: 'IfNotPresent',
    group: 'site',
  }),
  imagePullSecret: field(pattern(DNS_NAME).optional(), {
    description: 'Secret in the namespace with the credentials of the image registry.',
    allowed: 'the name of a Secret',
    example: 'registry-credentials',
    group: 'site',
  }),
  onedataCertificateAuthorities: field(
    z.string().includes('-----BEGIN CERTIFICATE-----').includes('-----END CERTIFICATE-----').optional(),
    {
      description: 'Certificate authorities of the Onedata host that are not publicly known.',
      allowed: 'PEM text with at least one certificate',
      example: '"$(cat authorities.pem)"',
      group: 'site',
    },
  ),
  checkTokens: field(yesOrNo().default(true), {
    description:
      'Whether `pulumi preview` and `up` ask Onedata about the tokens and warn of what is wrong with them; nothing is said where it cannot be reached from there.',
    allowed: 'true or false',
    example: 'false',
    group: 'site',
  }),
  onedataPorts: field(json(z.array(z.int().min(1).max(65_535)).min(1)).default([443]), {
    description: 'TCP ports the instance may reach outside, beside DNS and the port of `onedataHost`.',
    allowed: 'a list of ports',
    example: '[443]',
    group: 'site',
  }),
  networkIsolation: field(yesOrNo().default(true), {
    description:
      'Whether NetworkPolicies close everything but the gateway’s port inwards, and DNS and Onedata outwards.',
    allowed: 'true or false',
    example: 'true',
    group: 'site',
  }),
  ingressNamespaces: field(json(z.array(z.string().regex(DNS_LABEL))).default([]), {
    description:
      'Namespaces of the ingress controllers, the only ones that may reach the gateway; none: any may.',
    allowed: 'a list of namespaces',
    example: '["ingress-nginx"]',
    group: 'site',
  }),
};

/** Keys that hold secrets. Their content is never looked at: it stays an Output. */
export const SECRET_KEYS = {
  sourceToken: {
    description: 'Onedata token that may read the source space.',
    required: 'unless onedataSecret or sourceSecret is set, or sourceMount names a claim',
  },
  projectToken: {
    description:
      'Onedata token that may read and write the project space; another one than the source token.',
    required: 'unless onedataSecret or projectSecret is set, or projectMount names a claim',
  },
  desktopPassword: {
    description: 'Password of the desktop, of any length.',
    required: 'no; 24 characters are drawn',
  },
} as const;
export type SecretKey = keyof typeof SECRET_KEYS;

export const SETTING_FIELDS = { ...userFields, ...siteFields } as const;
export const settingsSchema = z.strictObject(SETTING_FIELDS);

/** Everything of a stack that is not secret, parsed: CPUs in thousandths, durations in seconds, sizes as written. */
export type Settings = z.output<typeof settingsSchema>;
