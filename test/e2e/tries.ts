import type { CHANGES } from '../../stacks/changes.ts';
import { CERTIFICATE } from '../helpers/certificate.ts';

/** One change of every key of the configuration, and where a running instance shows it. A key without a row does not compile. */

export type Key = keyof typeof CHANGES;

/** `config` are the files that the containers read. */
export type Place = 'pod' | 'config' | 'ingress' | 'resourcequota' | 'networkpolicy';

export interface Try {
  readonly value: string;
  readonly in: Place;
  readonly as: RegExp;
  /** A pod of this cluster cannot start with it: it is stored, and set back before the pod starts again. */
  readonly isOnlyStored?: true;
}

/** Why a key has no change of its own on this cluster. */
export interface Untried {
  readonly because: string;
}

/** What a try finds in the cluster. */
export const FOUND = {
  priorityClass: 'tried-priority',
  runtimeClass: 'tried-runtime',
  nodeLabel: 'example.org/tried',
  resource: 'example.org/tried',
  configMap: 'tried-files',
} as const;

export const PASSWORD = 'tried, and long enough';

const inPod = (value: string, as: RegExp): Try => ({ value, in: 'pod', as });
const stored = (value: string, as: RegExp): Try => ({ value, in: 'pod', as, isOnlyStored: true });
const inConfig = (value: string, as: RegExp): Try => ({ value, in: 'config', as });
const inPolicy = (value: string, as: RegExp): Try => ({ value, in: 'networkpolicy', as });
const inIngress = (value: string, as: RegExp): Try => ({ value, in: 'ingress', as });
const inQuota = (value: string, as: RegExp): Try => ({ value, in: 'resourcequota', as });

const REFUSED: Untried = { because: 'refused: 3-refusals.test.ts' };
const GROWS: Untried = { because: 'grown in 3-engine.test.ts, which changes the storage class for it' };
const EXISTING_NAMESPACE: Untried = { because: 'needs a namespace that somebody else made' };
const DRIVER: Untried = { because: 'needs the driver of csi-onedata' };
const NEXT: Untried = { because: 'is for the next preview, `up`, removal or instance' };
const TOKEN: Untried = { because: 'rotated in 2-trouble.test.ts' };

/** @param authorities those of the emulator */
export const triesWith = (authorities: string) =>
  ({
    namespace: REFUSED,
    createNamespace: REFUSED,
    sourceSpaceId: REFUSED,
    projectSpaceId: REFUSED,
    storageClass: REFUSED,
    sourceVolumeSize: GROWS,
    projectVolumeSize: GROWS,
    sourceToken: TOKEN,
    projectToken: TOKEN,
    onedataSecret: EXISTING_NAMESPACE,
    sourceSecret: EXISTING_NAMESPACE,
    projectSecret: EXISTING_NAMESPACE,
    sourceMount: DRIVER,
    projectMount: DRIVER,
    discardUnsavedChanges: NEXT,
    checkTokens: NEXT,
    volumeAccess: NEXT,
    paused: { because: 'paused and resumed by a test of its own' },
    desktopPassword: { because: 'a login by a test of its own' },
    signInClientSecret: { because: 'a secret: test/components/sign-in.test.ts' },
    signInNetworks: { because: 'has no effect before the next start, which brings the issuer' },
    passwordLogin: { because: 'the logins of this run need it: sidecar/test/gateway/sign-in.test.ts' },
    version: { because: 'stored in 3-engine.test.ts; the image of one version is in the cluster' },
    desktopImage: {
      because: 'one name of the image is in the cluster; `imageRepository` is stored in its place',
    },
    onedataHost: { because: 'there is one Onedata' },
    gateway: { because: 'needs the Gateway API' },
    waitForIngress: { because: 'waited for in 3-engine.test.ts' },
    networkIsolation: { because: 'excludes the rows of the networks' },

    ingressClass: inIngress('tried-class', /"ingressClassName":"tried-class"/),
    ingressAnnotations: inIngress('{"example.org/tried":"yes"}', /"example\.org\/tried":"yes"/),
    tlsIssuer: inIngress('tried-issuer', /"cert-manager\.io\/cluster-issuer":"tried-issuer"/),
    tlsSecretName: inIngress('tried-tls', /"secretName":"tried-tls"/),
    quotaCpuGuaranteed: inQuota('11', /"requests\.cpu":"11"/),
    quotaCpuLimit: inQuota('15', /"limits\.cpu":"15"/),
    onedataPorts: inPolicy('[443,9443]', /"port":9443/),
    ingressNamespaces: inPolicy('["tried-ingress"]', /"tried-ingress"/),
    onedataNetworks: inPolicy('["10.0.0.0/8","192.0.2.0/24"]', /"192\.0\.2\.0\/24"/),
    dnsNamespaces: inPolicy('["kube-system","tried-dns"]', /"tried-dns"/),
    metricsNamespaces: inPolicy('["tried-metrics"]', /"tried-metrics"/),
    autosaveInterval: inConfig('15 seconds', /"autosaveIntervalSeconds":15\b/),
    keepLastSaves: inConfig('11', /"last":11\b/),
    keepHourlySaves: inConfig('25', /"hourly":25\b/),
    keepDailySaves: inConfig('15', /"daily":15\b/),
    keepWeeklySaves: inConfig('1', /"weekly":1\b/),
    keepSavesSize: inConfig('400G', /"maxBytes":400000000000\b/),
    downloadBandwidth: inConfig('900M', /"downloadBytesPerSecond":900000000\b/),
    uploadBandwidth: inConfig('800M', /"uploadBytesPerSecond":800000000\b/),
    spaceCheckDays: inConfig('8', /"verifyEveryDays":8\b/),
    spaceCheckBandwidth: inConfig('5M', /"verifyBytesPerSecond":5000000\b/),

    sourceInclude: inConfig('["**"]', /"sourceInclude":\["\*\*"\]/),
    sourceExclude: inConfig('["**/*.tried"]', /"sourceExclude":\["\*\*\/\*\.tried"\]/),
    signInIssuer: inConfig('https://login.example.org', /"issuer":"https:\/\/login\.example\.org"/),
    signInClientId: inConfig('tried', /"clientId":"tried"/),
    signInScopes: inConfig('["openid","tried"]', /"scopes":\["openid","tried"\]/),
    signInUserClaim: inConfig('tried_name', /"userClaim":"tried_name"/),
    signInUsers: inConfig('["tried"]', /"users":\["tried"\]/),
    signInGroupClaim: inConfig('tried_groups', /"groupClaim":"tried_groups"/),
    signInGroups: inConfig('["tried-group"]', /"groups":\["tried-group"\]/),
    signInCertificateAuthorities: inConfig(CERTIFICATE, /"signIn":[^}]*"certificateAuthorities":"-----BEGIN/),
    syncPriority: inConfig('normal', /"priority":"normal"/),
    domain: inConfig('tried.localhost', /"publicOrigin":"https:[^"]*\.tried\.localhost/),
    publicPort: inConfig('9443', /"publicOrigin":"https:[^"]*:9443"/),
    onedataCertificateAuthorities: inConfig(`${authorities}${CERTIFICATE}`, /END CERT[^"]*BEGIN CERT/),
    finalSaveGrace: inPod('9 minutes', /"terminationGracePeriodSeconds":540\b/),
    cpuGuaranteed: inPod('0.6', /"requests":\{"cpu":"515m"/),
    cpuLimit: inPod('3', /"limits":\{"cpu":"1500m"/),
    memory: inPod('4Gi', /"memory":"3328Mi"/),
    scratchSize: inPod('19Gi', /"sizeLimit":"19Gi"/),
    imagePullPolicy: inPod('IfNotPresent', /"imagePullPolicy":"IfNotPresent"/),
    imagePullSecret: inPod('tried-registry', /"imagePullSecrets":\[\{"name":"tried-registry"/),
    nodeSelector: inPod(`{"${FOUND.nodeLabel}":"yes"}`, /"nodeSelector":\{"example\.org\/tried":"yes"/),
    tolerations: inPod('[{"key":"tried","operator":"Exists"}]', /"key":"tried","operator":"Exists"/),
    affinity: inPod('{"podAntiAffinity":{}}', /"podAntiAffinity"/),
    priorityClass: inPod(FOUND.priorityClass, /"priorityClassName":"tried-priority"/),
    runtimeClass: inPod(FOUND.runtimeClass, /"runtimeClassName":"tried-runtime"/),
    extraResources: inPod(`{"${FOUND.resource}":"1"}`, /"example\.org\/tried":"1"/),
    desktopEnvironment: inPod('{"TRIED":"yes"}', /"name":"TRIED","value":"yes"/),
    extraVolumes: inPod(
      `[{"name":"tried","mountPath":"/mnt/tried","configMap":"${FOUND.configMap}"}]`,
      /"mountPath":"\/mnt\/tried"/,
    ),
    imageRepository: stored('localhost/tried', /"image":"localhost\/tried\/desktop:/),
    sidecarImage: stored('localhost/tried-sidecar:1', /"image":"localhost\/tried-sidecar:1"/),
    jobs: { because: 'needs the networks of the API server with it: 2-jobs.test.ts' },
    jobClasses: { because: 'is nothing without `jobs`' },
    jobMemory: { because: 'is nothing without `jobs`' },
    jobsAtRemoval: { because: 'is nothing without `jobs`: test/components/close-jobs.test.ts' },
    jobsWait: { because: 'is nothing without `jobs`: test/components/close-jobs.test.ts' },
    apiServerNetworks: { because: 'is nothing without `jobs`' },
    userNamespace: stored('true', /"hostUsers":false/),
    httpProxy: stored('http://192.0.2.1:3128', /"name":"HTTPS_PROXY","value":"http:\/\/192\.0\.2\.1:3128"/),
  }) satisfies Readonly<Record<Key, Try | Untried>>;
