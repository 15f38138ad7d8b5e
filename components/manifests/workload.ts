import { CLUSTER_ACCESS_FILES } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { CONTAINERS, NAMES } from '../names.ts';
import { extraVolumeName, initContainers, mainContainers, POD_VOLUMES } from './containers.ts';
import { labels, metadata, STACK_ANNOTATION, selectorLabels, versionLabel } from './metadata.ts';
import { onedataVolumes } from './onedata-access.ts';
import { SCRATCH } from './resources.ts';

/**
 * The StatefulSet. Not a Deployment: that starts a second pod while the first still saves, and both write the project.
 */

/** Keep autoscalers from ending a session; a drained node still can, and the grace of the final save is for that. */
export const KEEP_RUNNING = {
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  'karpenter.sh/do-not-disrupt': 'true',
};

export function serviceAccountManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.serviceAccount, 'desktop'),
    automountServiceAccountToken: false,
  };
}

/**
 * Keeps evictions away, e.g. `kubectl drain`: many who empty nodes wait minutes, and the last save has an hour. Who must
 * empty one pauses or restarts the instance, which saves first. Not `minAvailable: 1`, which a paused instance would break.
 * It takes no pod that is not ready for one that may go, since that one may have work that is not saved.
 */
export function disruptionBudgetManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.disruptionBudget, 'desktop'),
    spec: { maxUnavailable: 0, selector: { matchLabels: selectorLabels(config) } },
  };
}

/** Owner may read, as Kubernetes writes it: a number. `fsGroup` makes the group a reader too, which is uid 1000's. */
const SECRET_MODE = 0o400;

function podVolumes(config: InstanceConfig) {
  const claim = (name: string, claimName: string) => ({ name, persistentVolumeClaim: { claimName } });
  const secret = (name: string, secretName: string) => ({
    name,
    secret: { secretName, defaultMode: SECRET_MODE },
  });
  const empty = {
    [POD_VOLUMES.run]: SCRATCH.run,
    [POD_VOLUMES.home]: config.scratchSize,
    [POD_VOLUMES.desktopTemporary]: config.scratchSize,
    [POD_VOLUMES.syncTemporary]: SCRATCH.sync,
    [POD_VOLUMES.gatewayTemporary]: SCRATCH.gateway,
    ...(config.jobs ? { [POD_VOLUMES.jobsTemporary]: SCRATCH.jobs } : {}),
  };
  const onedata = onedataVolumes(config, SECRET_MODE);
  return [
    claim(POD_VOLUMES.source, NAMES.sourceVolume),
    claim(POD_VOLUMES.project, NAMES.projectVolume),
    { name: POD_VOLUMES.config, configMap: { name: NAMES.configMap } },
    ...onedata.tokens,
    ...onedata.spaces,
    secret(POD_VOLUMES.gateway, NAMES.gatewaySecret),
    ...Object.entries(empty).map(([name, sizeLimit]) => ({ name, emptyDir: { sizeLimit } })),
    ...(config.jobs ? [clusterAccess()] : []),
    ...config.extraVolumes.map(extraVolume),
  ];
}

/** A token of the pod's account for the broker, which the kubelet renews, and the authorities of the API server. */
const clusterAccess = () => ({
  name: POD_VOLUMES.clusterAccess,
  projected: {
    defaultMode: SECRET_MODE,
    sources: [
      { serviceAccountToken: { path: CLUSTER_ACCESS_FILES.token, expirationSeconds: 3600 } },
      {
        configMap: {
          // In every namespace by Kubernetes itself.
          name: 'kube-root-ca.crt',
          items: [{ key: 'ca.crt', path: CLUSTER_ACCESS_FILES.authorities }],
        },
      },
    ],
  },
});

export function extraVolume({ name, claim, configMap, writable }: InstanceConfig['extraVolumes'][number]) {
  const source =
    claim === undefined
      ? { configMap: { name: configMap } }
      : { persistentVolumeClaim: { claimName: claim, ...(writable ? {} : { readOnly: true }) } };
  return { name: extraVolumeName(name), ...source };
}

/** Where the pod may run; what is not said is the cluster's to choose. */
export function placement({
  nodeSelector,
  tolerations,
  affinity,
  priorityClass,
  runtimeClass,
}: InstanceConfig) {
  return {
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
    ...(affinity === undefined ? {} : { affinity }),
    ...(priorityClass === undefined ? {} : { priorityClassName: priorityClass }),
    ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
  };
}

export const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  // Walking a volume of many files at each start would take longer than the start itself.
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};

function podSpec(config: InstanceConfig) {
  return {
    serviceAccountName: NAMES.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    shareProcessNamespace: false,
    ...(config.userNamespace ? { hostUsers: false } : {}),
    terminationGracePeriodSeconds: config.finalSaveGrace,
    securityContext: POD_SECURITY,
    ...(config.imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: config.imagePullSecret }] }),
    ...placement(config),
    initContainers: initContainers(config),
    containers: mainContainers(config),
    volumes: podVolumes(config),
  };
}

/** Findings of kube-score that are meant so, by the checks' names. */
const scoreExceptions = ({ networkIsolation }: InstanceConfig) => ({
  'kube-score/ignore': [
    // A tag names one release for good, and a site may say otherwise by `imagePullPolicy` or a digest.
    'container-image-pull-policy',
    // 1000 is the user of both images and the owner of what is on the volumes.
    'container-security-context-user-group-id',
    // The Service has the address that the Ingress needs; one pod needs no name of its own. It could not be changed later either.
    'statefulset-has-servicename',
    // The site has said so.
    ...(networkIsolation ? [] : ['pod-networkpolicy']),
  ].join(','),
});

export function statefulSetManifest(config: InstanceConfig) {
  return {
    // In a namespace that somebody else made, this tells whose instance it is.
    metadata: metadata(config, NAMES.statefulSet, 'desktop', {
      [STACK_ANNOTATION]: config.stack,
      ...scoreExceptions(config),
    }),
    spec: {
      replicas: config.paused ? 0 : 1,
      serviceName: NAMES.service,
      podManagementPolicy: 'Parallel',
      // A changed template waits for the next restart: `pulumi up` never ends a running session.
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: selectorLabels(config) },
      template: {
        metadata: {
          labels: { ...labels(config, 'desktop'), ...versionLabel(config) },
          annotations: { ...KEEP_RUNNING, 'kubectl.kubernetes.io/default-container': CONTAINERS.desktop },
        },
        spec: podSpec(config),
      },
    },
  };
}
