/**
 * Every name of a Kubernetes object of an instance. They are fixed: in a namespace that several people may use, the
 * second instance runs into the first one's objects instead of sharing its volumes.
 */
export const NAMES = {
  statefulSet: 'scipion',
  /** The only pod of the StatefulSet. */
  pod: 'scipion-0',
  service: 'scipion',
  ingress: 'scipion',
  route: 'scipion',
  serviceAccount: 'scipion',
  configMap: 'scipion-config',
  onedataSecret: 'scipion-onedata',
  gatewaySecret: 'scipion-gateway',
  sourceVolume: 'scipion-source',
  projectVolume: 'scipion-project',
  /** Claim and Secret of a space that csi-onedata mounts. */
  sourceSpace: 'scipion-source-space',
  projectSpace: 'scipion-project-space',
  disruptionBudget: 'scipion',
  quota: 'scipion',
  limits: 'scipion',
  networkPolicy: 'scipion',
  /** Of the pods of jobs, which have no rights. */
  jobAccount: 'scipion-job',
  jobPolicy: 'scipion-job',
  /** Shape of the pods of jobs, which the admission policy compares with. */
  jobTemplate: 'scipion-job',
  /** What the broker may do. */
  jobsRole: 'scipion-jobs',
  defaultDeny: 'scipion-default-deny',
  certificateSolverPolicy: 'scipion-certificate-solver',
} as const;

export const CONTAINERS = {
  prepare: 'prepare-volumes',
  sync: 'sync',
  gateway: 'gateway',
  jobs: 'jobs',
  /** The only one in the pod of a job. */
  job: 'job',
  desktop: 'desktop',
} as const;

/** Commands of the two images. */
export const COMMANDS = {
  sync: '/usr/local/bin/sync',
  gateway: '/usr/local/bin/gateway',
  jobs: '/usr/local/bin/jobs',
  desktopAlive: '/usr/local/bin/desktop-alive',
  runJob: '/usr/local/bin/run-job',
} as const;

/** Named ports, so that a probe or a Service says what it means. */
export const PORT_NAMES = {
  gateway: 'http',
  gatewayProbes: 'gateway-probes',
  syncProbes: 'sync-probes',
  jobsProbes: 'jobs-probes',
} as const;

/**
 * Names of the hooks. They are in the state of every stack, and a removal is refused when a hook of that name is not
 * registered: they never change.
 */
export const HOOKS = {
  drain: 'drain',
  closeJobs: 'close-jobs',
  refuseWhileInUse: 'refuse-while-in-use',
  claimNamespace: 'claim-namespace',
  refuseChangedIdentity: 'refuse-changed-identity',
  refuseUnknownInstance: 'refuse-unknown-instance',
} as const;

/** Names of the objects of the cluster that bound the broker of one instance. */
export const admissionNames = (namespace: string) => ({
  rights: `scipion-jobs.${namespace}`,
  shape: `scipion-jobs-shape.${namespace}`,
});

/** Host name of an instance: the same namespace always has the same address. */
export const instanceHost = (namespace: string, domain: string): string => `scipion.${namespace}.${domain}`;

/** What a browser shows as origin; the standard port is left out, as browsers do. */
export function publicOrigin(namespace: string, domain: string, port: number): string {
  return `https://${instanceHost(namespace, domain)}${port === 443 ? '' : `:${port}`}`;
}
