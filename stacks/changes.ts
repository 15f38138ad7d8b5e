import { LIVE_SYNC_KEYS } from '../sidecar/contract/config.ts';
import type { SecretKey, Settings } from './schema.ts';

/** What happens when a key changes while the instance exists: for the reference, for previews, and held by a test. */

export type Change = 'refused' | 'pauses' | 'at the next start' | 'grows' | 'in place' | 'later';

export const CHANGE_WORDS: Readonly<Record<Change, string>> = {
  refused:
    'refused while the instance exists: remove it and create it again; the project comes back from its space',
  pauses: 'stops the pod after a last save, or starts it again',
  'at the next start':
    'stored now, used at the next start of the pod (`pulumi stack output restartCommand`); `pulumi up` never ends a running session',
  grows: 'grows in place where the storage class can; smaller is refused',
  'in place': 'in place, without a restart',
  later: 'nothing of the instance: it is for the next preview, `up` or removal',
};

/** Keys of the configuration of `sync` that it takes over while it runs. */
export const LIVE_SYNC_SETTINGS: readonly string[] = LIVE_SYNC_KEYS;

/** A change of `sourceMount` or `projectMount` to or from `claim/NAME` is refused: another claim is another space. */
export const CHANGES: Readonly<Record<keyof Settings | SecretKey, Change>> = {
  namespace: 'refused',
  createNamespace: 'refused',
  sourceSpaceId: 'refused',
  projectSpaceId: 'refused',
  storageClass: 'refused',
  paused: 'pauses',
  sourceVolumeSize: 'grows',
  projectVolumeSize: 'grows',
  sourceToken: 'in place',
  projectToken: 'in place',
  desktopPassword: 'in place',
  ingressClass: 'in place',
  ingressAnnotations: 'in place',
  gateway: 'in place',
  tlsIssuer: 'in place',
  tlsSecretName: 'in place',
  waitForIngress: 'in place',
  quotaCpuGuaranteed: 'in place',
  quotaCpuLimit: 'in place',
  onedataPorts: 'in place',
  networkIsolation: 'in place',
  ingressNamespaces: 'in place',
  onedataNetworks: 'in place',
  dnsNamespaces: 'in place',
  metricsNamespaces: 'in place',
  autosaveInterval: 'in place',
  keepLastSaves: 'in place',
  keepHourlySaves: 'in place',
  keepDailySaves: 'in place',
  keepWeeklySaves: 'in place',
  keepSavesSize: 'in place',
  downloadBandwidth: 'in place',
  uploadBandwidth: 'in place',
  spaceCheckDays: 'in place',
  spaceCheckBandwidth: 'in place',
  discardUnsavedChanges: 'later',
  checkTokens: 'later',
  version: 'at the next start',
  onedataHost: 'at the next start',
  onedataSecret: 'at the next start',
  sourceSecret: 'at the next start',
  projectSecret: 'at the next start',
  sourceMount: 'at the next start',
  projectMount: 'at the next start',
  sourceInclude: 'at the next start',
  sourceExclude: 'at the next start',
  cpuGuaranteed: 'at the next start',
  cpuLimit: 'at the next start',
  memory: 'at the next start',
  syncPriority: 'at the next start',
  finalSaveGrace: 'at the next start',
  domain: 'at the next start',
  publicPort: 'at the next start',
  imageRepository: 'at the next start',
  desktopImage: 'at the next start',
  sidecarImage: 'at the next start',
  imagePullPolicy: 'at the next start',
  imagePullSecret: 'at the next start',
  onedataCertificateAuthorities: 'at the next start',
  scratchSize: 'at the next start',
  nodeSelector: 'at the next start',
  tolerations: 'at the next start',
  affinity: 'at the next start',
  priorityClass: 'at the next start',
  runtimeClass: 'at the next start',
  extraResources: 'at the next start',
  desktopEnvironment: 'at the next start',
  extraVolumes: 'at the next start',
  httpProxy: 'at the next start',
};
