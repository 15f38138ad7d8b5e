import * as z from 'zod';
import { cpuMillis, field, json, pattern, text, wholeNumber, yesOrNo } from './fields.ts';
import {
  DNS_LABEL,
  IMAGE_REFERENCE,
  IMAGE_REPOSITORY,
  isCertificateBundle,
  isHostName,
  isOwnAnnotation,
  isQualifiedName,
  isStorable,
  NAMESPACED_NAME,
  OBJECT_NAME,
  QUALIFIED_NAME_SHAPE,
} from './grammar.ts';

/** What a site says once in Pulumi.yaml, for all stacks; a stack may say otherwise. */

/** Kubernetes takes 256 KiB of annotations in all. */
const annotations = z
  .record(
    z
      .string()
      .regex(QUALIFIED_NAME_SHAPE)
      .refine(
        (key) => isQualifiedName(key) && !isOwnAnnotation(key) && key !== 'kubernetes.io/ingress.class',
      ),
    z.string().max(16_384).refine(isStorable),
  )
  .refine((all) => Object.keys(all).length <= 50);

/** `latest` is another image tomorrow; the policy pack refuses it, too. */
const image = pattern(IMAGE_REFERENCE, 512).refine((name) => !name.endsWith(':latest'));

export const siteFields = {
  domain: field(text(isHostName, '^\\s*[-a-z0-9.]+\\s*$'), {
    description: 'The instance is at `https://scipion.<namespace>.<domain>`.',
    allowed: 'a DNS name: labels of up to 63 of a-z, 0-9 and "-", with "." between',
    example: 'dyn.example.org',
    group: 'site',
  }),
  publicPort: field(wholeNumber(1, 65_535).default(443), {
    description: 'Port at which browsers reach the ingress controller.',
    allowed: 'a port from 1 to 65535',
    example: '8443',
    group: 'site',
  }),
  ingressClass: field(pattern(OBJECT_NAME), {
    description: 'Ingress class of the cluster.',
    allowed: 'the name of an IngressClass',
    example: 'nginx',
    group: 'site',
  }),
  ingressAnnotations: field(json(annotations).default({}), {
    description: 'Annotations of the Ingress, for what its controller needs (WebSockets, time-outs).',
    allowed:
      'names such as "example.org/name" (name up to 63 characters) with text values; none of pulumi.com and of this program, and no class (ingressClass is it)',
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
  tlsIssuer: field(pattern(OBJECT_NAME).optional(), {
    description:
      'ClusterIssuer of cert-manager that makes the certificate. Without it the Secret below must exist.',
    allowed: 'the name of a ClusterIssuer',
    example: 'letsencrypt-prod',
    group: 'site',
  }),
  tlsSecretName: field(pattern(OBJECT_NAME).default('scipion-tls'), {
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
    defaultNote: '12 CPUs',
  }),
  quotaCpuLimit: field(cpuMillis(500, 1_000_000).default(16_000), {
    description: 'Limit of CPUs of all pods of the namespace.',
    allowed: 'a number of CPUs from 0.5 to 1000, not below cpuLimit',
    example: '16',
    group: 'site',
    defaultNote: '16 CPUs',
  }),
  storageClass: field(pattern(OBJECT_NAME).optional(), {
    description: 'Storage class of both volumes. Fixed once the instance exists.',
    allowed: 'the name of a StorageClass',
    example: 'csi-rbd',
    group: 'site',
    defaultNote: "the cluster's default",
  }),
  volumeAccess: field(z.enum(['ReadWriteOnce', 'ReadWriteOncePod']).default('ReadWriteOnce'), {
    description:
      'Access mode of both volumes when they are made; those that are there keep theirs. `ReadWriteOncePod`: Kubernetes lets no second pod mount them, on the same node either; only storage classes of a CSI driver have it.',
    allowed: 'ReadWriteOnce or ReadWriteOncePod',
    example: 'ReadWriteOncePod',
    group: 'site',
  }),
  imageRepository: field(pattern(IMAGE_REPOSITORY), {
    description: 'Where the images are: `<imageRepository>/desktop` and `<imageRepository>/sidecar`.',
    allowed: 'a repository without scheme, tag and digest',
    example: 'registry.example.org/scipion',
    group: 'site',
  }),
  desktopImage: field(image.optional(), {
    description: 'Desktop image in full, best with its digest, in place of the one of the version.',
    allowed: 'an image reference without scheme, with a tag (not latest) or a digest',
    example: 'registry.example.org/scipion/desktop:3.8.3',
    group: 'site',
    defaultNote: '`<imageRepository>/desktop:<version>`',
  }),
  sidecarImage: field(image.optional(), {
    description: 'Sidecar image in full, best with its digest.',
    allowed: 'an image reference without scheme, with a tag (not latest) or a digest',
    example: 'registry.example.org/scipion/sidecar:1.0',
    group: 'site',
    defaultNote: '`<imageRepository>/sidecar:<release>`',
  }),
  imagePullPolicy: field(z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'), {
    description: 'When the node fetches the images.',
    allowed: 'IfNotPresent, Always or Never',
    example: 'IfNotPresent',
    group: 'site',
  }),
  imagePullSecret: field(pattern(OBJECT_NAME).optional(), {
    description: 'Secret in the namespace with the credentials of the image registry.',
    allowed: 'the name of a Secret',
    example: 'registry-credentials',
    group: 'site',
  }),
  onedataCertificateAuthorities: field(
    text(isCertificateBundle, '-----BEGIN CERTIFICATE-----', 262_144).optional(),
    {
      description: 'Certificate authorities of the Onedata host that are not publicly known.',
      allowed: 'PEM text of certificates, at least one, and nothing else',
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
  onedataPorts: field(json(z.array(z.int().min(1).max(65_535)).min(1).max(50)).default([443]), {
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
  ingressNamespaces: field(json(z.array(z.string().regex(DNS_LABEL)).max(50)).default([]), {
    description:
      'Namespaces of the ingress controllers, the only ones that may reach the gateway; none: any may.',
    allowed: 'a list of namespaces',
    example: '["ingress-nginx"]',
    group: 'site',
  }),
};
