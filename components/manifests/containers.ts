import {
  CLUSTER_ACCESS_DIRECTORY,
  CONFIG_FILES,
  DESKTOP_PATHS,
  GATEWAY_PATHS,
  GATEWAY_SECRET_DIRECTORY,
  JOB_CLASSES_VARIABLE,
  JOB_REQUEST_FILE,
  PORTS,
  RUN_DIRECTORY,
  SYNC_PATHS,
  VOLUME_FOLDERS,
} from '../../sidecar/contract/paths.ts';
import { largest } from '../../stacks/job-fields.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { bytesQuantity } from '../../stacks/units.ts';
import { SCIPION_VERSIONS, SIDECAR_IMAGE_TAG } from '../../stacks/versions.ts';
import { COMMANDS, CONTAINERS, PORT_NAMES } from '../names.ts';
import { onedataMounts } from './onedata-access.ts';
import { containerResources } from './resources.ts';

/** The containers of the pod, in the order in which they start. Every one fits Pod Security `restricted`. */

/** Volumes of the pod by the name that containers mount them with. */
export const POD_VOLUMES = {
  source: 'source',
  project: 'project',
  config: 'config',
  gateway: 'gateway-credentials',
  run: 'run',
  home: 'home',
  desktopTemporary: 'desktop-tmp',
  syncTemporary: 'sync-tmp',
  gatewayTemporary: 'gateway-tmp',
  jobsTemporary: 'jobs-tmp',
  clusterAccess: 'cluster-access',
  jobRequest: 'job-request',
} as const;

const DESKTOP_HOME = '/home/scipion';

export const CONTAINER_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

const mount = (name: string, mountPath: string) => ({ name, mountPath });
const readOnlyMount = (name: string, mountPath: string) => ({ name, mountPath, readOnly: true });

const configMount = readOnlyMount(POD_VOLUMES.config, directoryOf(CONFIG_FILES.sync));
const wholeVolumeMounts = [
  mount(POD_VOLUMES.source, SYNC_PATHS.sourceVolume),
  mount(POD_VOLUMES.project, SYNC_PATHS.projectVolume),
];

/** Asks one of the two plain HTTP endpoints that serve probes and metrics. */
const probe = (path: string, port: string, periodSeconds: number, failureThreshold: number) => ({
  httpGet: { path, port },
  periodSeconds,
  timeoutSeconds: 5,
  failureThreshold,
});

function images(config: InstanceConfig) {
  const tag = SCIPION_VERSIONS[config.version]?.imageTag ?? config.version;
  return {
    desktop: config.desktopImage ?? `${config.imageRepository}/desktop:${tag}`,
    sidecar: config.sidecarImage ?? `${config.imageRepository}/sidecar:${SIDECAR_IMAGE_TAG}`,
  };
}

function container(config: InstanceConfig, name: string, image: string) {
  return {
    name,
    image,
    imagePullPolicy: config.imagePullPolicy,
    securityContext: CONTAINER_SECURITY,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

/** Makes the folders on the volumes before the desktop mounts them as sub-paths; the kubelet would make them for root. */
function prepareContainer(config: InstanceConfig) {
  return {
    ...container(config, CONTAINERS.prepare, images(config).sidecar),
    command: [COMMANDS.sync, 'prepare'],
    resources: containerResources(config).sync,
    volumeMounts: [...wholeVolumeMounts, mount(POD_VOLUMES.syncTemporary, '/tmp')],
  };
}

/** First of the sidecars, so the last to stop: it saves when nothing writes any more. */
function syncContainer(config: InstanceConfig) {
  return {
    ...container(config, CONTAINERS.sync, images(config).sidecar),
    restartPolicy: 'Always',
    command: [COMMANDS.sync, 'run'],
    ports: [{ name: PORT_NAMES.syncProbes, containerPort: PORTS.syncProbes }],
    // Ready whatever the state of the data: `up` ends and the page is reachable while it is copied. What is wrong becomes
    // an event of the pod by the answer's text.
    readinessProbe: probe('/problems', PORT_NAMES.syncProbes, 10, 3),
    livenessProbe: probe('/livez', PORT_NAMES.syncProbes, 20, 6),
    resources: containerResources(config).sync,
    volumeMounts: [
      ...wholeVolumeMounts,
      configMount,
      ...onedataMounts(config),
      mount(POD_VOLUMES.run, RUN_DIRECTORY),
      mount(POD_VOLUMES.syncTemporary, '/tmp'),
    ],
  };
}

/**
 * The web front. It holds no Onedata token. Of the volumes it sees the project, which it may only read, and the folder of
 * uploads, from which `sync` moves what is complete: less than its users can do in the desktop that it shows.
 */
function gatewayContainer(config: InstanceConfig) {
  return {
    ...container(config, CONTAINERS.gateway, images(config).sidecar),
    restartPolicy: 'Always',
    command: [COMMANDS.gateway],
    ports: [
      { name: PORT_NAMES.gateway, containerPort: PORTS.gateway },
      { name: PORT_NAMES.gatewayProbes, containerPort: PORTS.gatewayProbes },
    ],
    readinessProbe: probe('/readyz', PORT_NAMES.gatewayProbes, 2, 3),
    livenessProbe: probe('/livez', PORT_NAMES.gatewayProbes, 20, 3),
    resources: containerResources(config).gateway,
    volumeMounts: [
      configMount,
      readOnlyMount(POD_VOLUMES.gateway, GATEWAY_SECRET_DIRECTORY),
      mount(POD_VOLUMES.run, RUN_DIRECTORY),
      { ...readOnlyMount(POD_VOLUMES.project, GATEWAY_PATHS.project), subPath: VOLUME_FOLDERS.data },
      { ...mount(POD_VOLUMES.project, GATEWAY_PATHS.uploads), subPath: VOLUME_FOLDERS.uploads },
      mount(POD_VOLUMES.gatewayTemporary, '/tmp'),
    ],
  };
}

/**
 * The broker of the jobs, the only container with a token of the API server. Of the volumes it sees none: what a request
 * asks for is done by the pod of its job, with the rights that it has there.
 */
function jobsContainer(config: InstanceConfig) {
  return {
    ...container(config, CONTAINERS.jobs, images(config).sidecar),
    restartPolicy: 'Always',
    command: [COMMANDS.jobs],
    ports: [{ name: PORT_NAMES.jobsProbes, containerPort: PORTS.jobsProbes }],
    // Not ready or not: the desktop serves without jobs.
    livenessProbe: probe('/livez', PORT_NAMES.jobsProbes, 20, 6),
    resources: containerResources(config).jobs,
    volumeMounts: [
      configMount,
      readOnlyMount(POD_VOLUMES.clusterAccess, CLUSTER_ACCESS_DIRECTORY),
      mount(POD_VOLUMES.run, RUN_DIRECTORY),
      mount(POD_VOLUMES.jobsTemporary, '/tmp'),
    ],
  };
}

/** The session beats every few tenths of a second; only one that has stood still for ten minutes is ended, as its jobs end with it. */
const DESKTOP_PROBE = {
  exec: { command: [COMMANDS.desktopAlive] },
  periodSeconds: 60,
  timeoutSeconds: 30,
  failureThreshold: 10,
};

/** In both cases, as programs disagree on which they read. */
function desktopEnvironment({ desktopEnvironment, httpProxy }: InstanceConfig) {
  const local = 'localhost,127.0.0.1,.svc,.cluster.local';
  const proxy =
    httpProxy === undefined ? {} : { HTTP_PROXY: httpProxy, HTTPS_PROXY: httpProxy, NO_PROXY: local };
  const lower = Object.entries(proxy).map(([name, value]) => [name.toLowerCase(), value]);
  const all = { ...proxy, ...Object.fromEntries(lower), ...desktopEnvironment };
  return Object.entries(all).map(([name, value]) => ({ name, value: String(value) }));
}

/** The desktop makes of them what Scipion offers as queues. */
const classesVariable = ({ jobs, jobClasses }: InstanceConfig) =>
  jobs ? [{ name: JOB_CLASSES_VARIABLE, value: JSON.stringify(jobClasses) }] : [];

function desktopResources(config: InstanceConfig) {
  const { requests, limits } = containerResources(config).desktop;
  const { extraResources } = config;
  return { requests: { ...requests, ...extraResources }, limits: { ...limits, ...extraResources } };
}

/** Volumes of a site, beside those of the instance. */
export const extraVolumeName = (name: string) => `extra-${name}`;

const dataMounts = [
  { ...readOnlyMount(POD_VOLUMES.source, DESKTOP_PATHS.source), subPath: VOLUME_FOLDERS.data },
  { ...mount(POD_VOLUMES.project, DESKTOP_PATHS.project), subPath: VOLUME_FOLDERS.data },
];
const scratchMounts = [mount(POD_VOLUMES.home, DESKTOP_HOME), mount(POD_VOLUMES.desktopTemporary, '/tmp')];
const extraMounts = ({ extraVolumes }: InstanceConfig) =>
  extraVolumes.map(({ name, mountPath, writable }) => ({
    ...mount(extraVolumeName(name), mountPath),
    ...(writable ? {} : { readOnly: true }),
  }));

function desktopContainer(config: InstanceConfig) {
  const environment = [...desktopEnvironment(config), ...classesVariable(config)];
  return {
    ...container(config, CONTAINERS.desktop, images(config).desktop),
    ...(environment.length === 0 ? {} : { env: environment }),
    livenessProbe: DESKTOP_PROBE,
    resources: desktopResources(config),
    volumeMounts: [
      ...dataMounts,
      mount(POD_VOLUMES.run, RUN_DIRECTORY),
      ...scratchMounts,
      ...extraMounts(config),
    ],
  };
}

/** What a protocol sees is the same in a job, at the same places; without the sockets of the pod. */
export function jobContainer(config: InstanceConfig) {
  const environment = desktopEnvironment(config);
  const { requests, limits } = containerResources(config).desktop;
  const most = {
    cpu: String(largest(config.jobClasses, 'cpus')),
    memory: bytesQuantity(largest(config.jobClasses, 'memory')),
  };
  return {
    ...container(config, CONTAINERS.job, images(config).desktop),
    command: ['/usr/bin/tini', '--', COMMANDS.runJob],
    ...(environment.length === 0 ? {} : { env: environment }),
    // CPUs and memory of a job are what it asks of its class.
    resources: { requests: { ...requests, ...most }, limits: { ...limits, ...most } },
    volumeMounts: [
      ...dataMounts,
      ...scratchMounts,
      ...extraMounts(config),
      readOnlyMount(POD_VOLUMES.jobRequest, directoryOf(JOB_REQUEST_FILE)),
    ],
  };
}

export const initContainers = (config: InstanceConfig) => [
  prepareContainer(config),
  syncContainer(config),
  gatewayContainer(config),
  ...(config.jobs ? [jobsContainer(config)] : []),
];

export const mainContainers = (config: InstanceConfig) => [desktopContainer(config)];
