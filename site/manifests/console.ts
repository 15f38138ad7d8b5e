import { CONTAINER_SECURITY } from '../../components/manifests/containers.ts';
import { SKIP_AWAIT } from '../../components/manifests/metadata.ts';
import { podSecurityLabels } from '../../components/manifests/namespace.ts';
import { POD_SECURITY } from '../../components/manifests/workload.ts';
import { cpuQuantity } from '../../stacks/units.ts';
import type { SiteConfig } from '../load.ts';
import {
  CONFIG_FILES,
  FOLDERS,
  NAMES,
  PORT,
  PORT_NAME,
  SECRET_FILES,
  SECRET_VARIABLES,
  type SiteSecretKey,
} from '../names.ts';
import { labels, metadata, selectorLabels } from './metadata.ts';

/**
 * The console: a Deployment of one, since one process at a time works on its volume. No PodDisruptionBudget: an eviction
 * restarts it, and it finds what was under way.
 */

export const namespaceManifest = ({ namespace }: SiteConfig) => ({
  metadata: { name: namespace, labels: { ...labels('namespace'), ...podSecurityLabels() } },
});

export const stateManifest = ({ namespace, stateSize, storageClass }: SiteConfig) => ({
  // Many classes make the volume for the first pod that wants it.
  metadata: metadata(namespace, NAMES.state, SKIP_AWAIT),
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: stateSize } },
    ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
  },
});

export const serviceManifest = ({ namespace }: SiteConfig) => ({
  metadata: metadata(namespace, NAMES.console),
  spec: {
    type: 'ClusterIP',
    selector: selectorLabels,
    ports: [{ name: PORT_NAME, port: 80, targetPort: PORT, protocol: 'TCP' }],
  },
});

export function ingressManifest({
  namespace,
  host,
  ingressClass,
  tlsIssuer,
  tlsSecretName,
  ingressAnnotations,
}: SiteConfig) {
  const annotations = {
    ...ingressAnnotations,
    ...(tlsIssuer === undefined ? {} : { 'cert-manager.io/cluster-issuer': tlsIssuer }),
    ...SKIP_AWAIT,
  };
  const backend = { service: { name: NAMES.console, port: { name: PORT_NAME } } };
  return {
    metadata: metadata(namespace, NAMES.console, annotations),
    spec: {
      ingressClassName: ingressClass,
      tls: [{ hosts: [host], secretName: tlsSecretName }],
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
  };
}

const SCRATCH = '2Gi';
const SECRET_MODE = 0o400;

const probe = (periodSeconds: number, failureThreshold: number) => ({
  httpGet: { path: '/livez', port: PORT_NAME },
  periodSeconds,
  timeoutSeconds: 5,
  failureThreshold,
});

function environment({ secretKeys, backendUrl }: SiteConfig) {
  const files = (Object.entries(SECRET_VARIABLES) as [SiteSecretKey, string][]).flatMap(([key, name]) =>
    secretKeys.includes(key) ? [{ name, value: `${FOLDERS.secrets}/${SECRET_FILES[key]}` }] : [],
  );
  return [...files, ...(backendUrl === undefined ? [] : [{ name: 'PULUMI_BACKEND_URL', value: backendUrl }])];
}

const volumes = [
  { name: 'state', persistentVolumeClaim: { claimName: NAMES.state } },
  { name: 'config', configMap: { name: NAMES.config } },
  { name: 'secrets', secret: { secretName: NAMES.secrets, defaultMode: SECRET_MODE } },
  { name: 'tmp', emptyDir: { sizeLimit: SCRATCH } },
  {
    name: 'account',
    projected: {
      defaultMode: SECRET_MODE,
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      ],
    },
  },
];

function container(config: SiteConfig) {
  const { image, memory, cpuLimit, secretsProvider } = config;
  return {
    name: 'console',
    image,
    imagePullPolicy: 'IfNotPresent',
    securityContext: CONTAINER_SECURITY,
    terminationMessagePolicy: 'FallbackToLogsOnError',
    args: [
      ...['--config', `${FOLDERS.config}/${CONFIG_FILES.console}`],
      ...['--defaults', `${FOLDERS.config}/${CONFIG_FILES.project}`],
      ...['--project', `${FOLDERS.state}/project`, '--state', FOLDERS.state],
      ...['--host', '0.0.0.0', '--port', String(PORT)],
      ...(secretsProvider === undefined ? [] : ['--secrets-provider', secretsProvider]),
    ],
    env: environment(config),
    ports: [{ name: PORT_NAME, containerPort: PORT }],
    startupProbe: probe(2, 60),
    readinessProbe: probe(5, 3),
    livenessProbe: probe(20, 6),
    resources: {
      requests: { cpu: '500m', memory, 'ephemeral-storage': '0' },
      limits: { cpu: cpuQuantity(cpuLimit), memory, 'ephemeral-storage': SCRATCH },
    },
    volumeMounts: [
      { name: 'state', mountPath: FOLDERS.state },
      { name: 'config', mountPath: FOLDERS.config, readOnly: true },
      { name: 'secrets', mountPath: FOLDERS.secrets, readOnly: true },
      { name: 'account', mountPath: FOLDERS.account, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

/** @param digest of what the console reads at its start: another one starts it anew */
export function deploymentManifest(config: SiteConfig, digest: string) {
  const { namespace, imagePullSecret, stopSeconds } = config;
  return {
    metadata: metadata(namespace, NAMES.console, {
      'kube-score/ignore': [
        // The digest in its name says which image it is.
        'container-image-pull-policy',
        // 1000 is the user of the image and the owner of what is on the volume.
        'container-security-context-user-group-id',
        // One process at a time works on the volume.
        'deployment-replicas',
        // It is ready when it answers, and hangs when it does not any more: the same question.
        'pod-probes-identical',
      ].join(','),
    }),
    spec: {
      replicas: 1,
      // The old pod ends before the new one begins: the volume is for one of them.
      strategy: { type: 'Recreate' },
      revisionHistoryLimit: 3,
      selector: { matchLabels: selectorLabels },
      template: {
        metadata: { labels: labels(), annotations: { 'scipion-instances.org/settings': digest } },
        spec: {
          serviceAccountName: NAMES.console,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: stopSeconds,
          securityContext: POD_SECURITY,
          ...(imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: imagePullSecret }] }),
          containers: [container(config)],
          volumes,
        },
      },
    },
  };
}
