import { EMULATOR_PROGRAM } from './bundle.ts';
import { type EmulatorOptions, instanceDefaults, parseConfiguration } from './configuration.ts';

/** Names of the emulator in a cluster. Its certificate carries the two host names. */
export const EMULATOR = {
  namespace: 'onedata',
  name: 'onedata',
  zoneHost: 'onezone.onedata.svc.cluster.local',
  providerHost: 'provider.onedata.svc.cluster.local',
} as const;

export interface EmulatorManifestOptions {
  /** Image with the bundle at `EMULATOR_PROGRAM`, e.g. `localhost/scipion/onedata:<tag>`. */
  readonly image: string;
  /** @default 'IfNotPresent' */
  readonly imagePullPolicy?: 'Never' | 'IfNotPresent' | 'Always';
  /** Size of its volume, e.g. `20Gi`. */
  readonly volumeSize: string;
  /** Absent: the cluster's default class. */
  readonly storageClassName?: string;
  /** Further or other spaces, tokens, version. */
  readonly options?: Partial<EmulatorOptions>;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  readonly [key: string]: unknown;
}

/** Of its pod. */
export const TLS_PORT = 8443;
const PATHS = { data: '/data', configuration: '/etc/onedata', temporary: '/tmp' } as const;
/** Both lead to its one pod. */
export const SERVICES = { zone: 'onezone', provider: 'provider' } as const;
/** A Deployment's selector cannot be changed, so the name that it had first stays. */
const LABELS = { 'app.kubernetes.io/name': 'onedata-emulator' } as const;

/** What the emulator reads in the pod. */
export function podConfiguration(options: Partial<EmulatorOptions> = {}): EmulatorOptions {
  const configuration: EmulatorOptions = {
    ...instanceDefaults(),
    zoneHost: EMULATOR.zoneHost,
    providerHost: EMULATOR.providerHost,
    publicPort: 443,
    ...options,
    dataDirectory: PATHS.data,
    listen: { host: '0.0.0.0', port: TLS_PORT },
    // Not on the volume: some storage holds no sockets.
    adminSocket: `${PATHS.temporary}/admin.sock`,
  };
  parseConfiguration(configuration);
  return configuration;
}

/** The emulator as a pod under Pod Security `restricted`, in the order in which to apply. */
export function emulatorManifests(options: EmulatorManifestOptions): KubernetesObject[] {
  const inNamespace = { namespace: EMULATOR.namespace, labels: LABELS };
  const configuration = `${JSON.stringify(podConfiguration(options.options), null, 2)}\n`;
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: EMULATOR.namespace,
        labels: { ...LABELS, 'pod-security.kubernetes.io/enforce': 'restricted' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: EMULATOR.name, ...inNamespace },
      data: { 'onedata.json': configuration },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: EMULATOR.name, ...inNamespace },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: options.volumeSize } },
        ...(options.storageClassName === undefined ? {} : { storageClassName: options.storageClassName }),
      },
    },
    ...Object.values(SERVICES).map((name) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, ...inNamespace },
      spec: { selector: LABELS, ports: [{ name: 'https', port: 443, targetPort: TLS_PORT }] },
    })),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: EMULATOR.name, ...inNamespace },
      spec: {
        replicas: 1,
        // Two of them on one database would spoil it.
        strategy: { type: 'Recreate' },
        selector: { matchLabels: LABELS },
        template: { metadata: { labels: LABELS }, spec: podSpec(options) },
      },
    },
  ];
}

function podSpec({ image, imagePullPolicy = 'IfNotPresent' }: EmulatorManifestOptions) {
  const health = {
    httpGet: {
      path: '/api/v3/oneprovider/health',
      port: TLS_PORT,
      scheme: 'HTTPS',
      httpHeaders: [{ name: 'Host', value: EMULATOR.providerHost }],
    },
  };
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 20,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: EMULATOR.name,
        image,
        imagePullPolicy,
        command: ['node', '--disable-warning=ExperimentalWarning', EMULATOR_PROGRAM],
        args: ['serve', '--config', `${PATHS.configuration}/onedata.json`],
        // For `admin` in an exec.
        env: [{ name: 'ONEDATA_ADMIN', value: `${PATHS.temporary}/admin.sock` }],
        ports: [{ name: 'https', containerPort: TLS_PORT }],
        readinessProbe: { ...health, periodSeconds: 2 },
        livenessProbe: { ...health, periodSeconds: 20, timeoutSeconds: 10 },
        resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'data', mountPath: PATHS.data },
          { name: 'configuration', mountPath: PATHS.configuration, readOnly: true },
          { name: 'temporary', mountPath: PATHS.temporary },
        ],
      },
    ],
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: EMULATOR.name } },
      { name: 'configuration', configMap: { name: EMULATOR.name } },
      { name: 'temporary', emptyDir: { sizeLimit: '64Mi' } },
    ],
  };
}
