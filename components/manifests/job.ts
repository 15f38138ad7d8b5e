import { JOB_MARKS } from '../../sidecar/contract/jobs.ts';
import { JOB_REQUEST_FILE } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { NAMES } from '../names.ts';
import { jobContainer, POD_VOLUMES } from './containers.ts';
import { jobLabels, metadata, selectorLabels } from './metadata.ts';
import { extraVolume, KEEP_RUNNING, POD_SECURITY, placement } from './workload.ts';

/** The one shape of a job. The broker adds what a request says, and the admission policy lets nothing else through. */

/** For who reads its end; the broker's own lines say what became of it for longer. */
export const KEEP_ENDED_SECONDS = 86_400;
const GRACE_SECONDS = 30;

const fileName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

function volumes(config: InstanceConfig) {
  const claim = (name: string, claimName: string) => ({ name, persistentVolumeClaim: { claimName } });
  const empty = (name: string, sizeLimit: string) => ({ name, emptyDir: { sizeLimit } });
  return [
    claim(POD_VOLUMES.source, NAMES.sourceVolume),
    claim(POD_VOLUMES.project, NAMES.projectVolume),
    empty(POD_VOLUMES.home, config.scratchSize),
    empty(POD_VOLUMES.desktopTemporary, config.scratchSize),
    {
      name: POD_VOLUMES.jobRequest,
      downwardAPI: {
        items: [
          {
            path: fileName(JOB_REQUEST_FILE),
            fieldRef: { fieldPath: `metadata.annotations['${JOB_MARKS.request}']` },
          },
        ],
      },
    },
    ...config.extraVolumes.map(extraVolume),
  ];
}

/** Both volumes are `ReadWriteOnce`, so a job runs where the desktop does. */
function affinity({ affinity: given, ...config }: InstanceConfig) {
  const beside = {
    labelSelector: { matchLabels: selectorLabels(config) },
    topologyKey: 'kubernetes.io/hostname',
  };
  return {
    ...(given?.nodeAffinity === undefined ? {} : { nodeAffinity: given.nodeAffinity }),
    podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [beside] },
  };
}

function podTemplate(config: InstanceConfig) {
  return {
    metadata: { labels: jobLabels(config), annotations: { ...KEEP_RUNNING } },
    spec: {
      restartPolicy: 'Never',
      serviceAccountName: NAMES.jobAccount,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      shareProcessNamespace: false,
      ...(config.userNamespace ? { hostUsers: false } : {}),
      terminationGracePeriodSeconds: GRACE_SECONDS,
      securityContext: POD_SECURITY,
      ...(config.imagePullSecret === undefined
        ? {}
        : { imagePullSecrets: [{ name: config.imagePullSecret }] }),
      ...placement(config),
      affinity: affinity(config),
      containers: [jobContainer(config)],
      volumes: volumes(config),
    },
  };
}

export function jobManifest(config: InstanceConfig) {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { labels: jobLabels(config) },
    spec: {
      parallelism: 1,
      completions: 1,
      // What a protocol has written is not what it began with: Scipion's own "continue" knows how to go on.
      backoffLimit: 0,
      ttlSecondsAfterFinished: KEEP_ENDED_SECONDS,
      template: podTemplate(config),
    },
  };
}

/** No pod is made of it: the API server completes it as it completes those of jobs, so that both can be compared. */
export function podTemplateManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.jobTemplate, 'jobs'),
    template: podTemplate(config),
  };
}
