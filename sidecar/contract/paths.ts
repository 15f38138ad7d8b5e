/**
 * Where things are inside the pod. Both sides read this file: the program that writes the manifests, and the
 * containers that find what was mounted.
 */

/** What the scientist sees. Scipion stores absolute links, so these two paths never change. */
export const DESKTOP_PATHS = {
  source: '/mnt/vol-dataset',
  project: '/mnt/vol-project',
} as const;

/**
 * The same volumes as `sync` sees them: whole, so that the state of the engine lies beside the data and not in it.
 * The desktop mounts only the sub-path `data`; Scipion takes every folder among its projects for a project.
 */
export const SYNC_PATHS = {
  sourceVolume: '/volumes/source',
  projectVolume: '/volumes/project',
} as const;

/** Where `sync` finds a space that a volume of the cluster shows. */
export const SPACE_DIRECTORIES = { source: '/spaces/source', project: '/spaces/project' } as const;

/**
 * Folders inside each volume. `uploads`: what browsers send to the project, until it is complete; beside the data, so that
 * it is neither saved nor seen before.
 */
export const VOLUME_FOLDERS = { data: 'data', state: 'state', uploads: 'uploads' } as const;

/** Among the uploads: where `sync` notes which place a file was given. @param attempt of the browser that sent it */
export const receiptName = (attempt: string) => `placed-${attempt}`;

/** Where the gateway finds the project, which it may only read, and the uploads, which `sync` moves to their place. */
export const GATEWAY_PATHS = { project: DESKTOP_PATHS.project, uploads: '/volumes/uploads' } as const;

/** The directory that the containers share (an emptyDir), and what meets there. */
export const RUN_DIRECTORY = '/run/scipion';
export const RUN_FILES = {
  /** HTTP of `sync` on a Unix socket: status, events, save now, refresh source, drain. */
  syncSocket: '/run/scipion/sync.sock',
  /** HTTP of `jobs` on a Unix socket, where the instance has jobs: submit, status, cancel. */
  jobsSocket: '/run/scipion/jobs.sock',
  /** Xvnc, RFB on a Unix socket. There is no VNC on TCP. Gone once no process of the desktop runs any more. */
  vncSocket: '/run/scipion/vnc.sock',
  /** Exists once source and project are on the volumes; the desktop starts Scipion then. Removed by a drain. */
  ready: '/run/scipion/ready',
  /** Exists after a complete drain: this pod stays closed, whichever of its containers starts again. */
  drained: '/run/scipion/drained',
} as const;

/** Mounted configuration (a ConfigMap, no secrets). */
export const CONFIG_FILES = {
  sync: '/etc/scipion/config/sync.json',
  gateway: '/etc/scipion/config/gateway.json',
  jobs: '/etc/scipion/config/jobs.json',
} as const;

/** Where `jobs` alone finds its token and the authorities of the API server, which the kubelet renews. */
export const CLUSTER_ACCESS_DIRECTORY = '/etc/scipion/cluster';
export const CLUSTER_ACCESS_FILES = { token: 'token', authorities: 'ca.crt' } as const;

/** Where the pod of a job finds what it is to run: an annotation of its own, as a file. */
export const JOB_REQUEST_FILE = '/etc/scipion/job/request.json';

/** Environment of the desktop: the classes of jobs as JSON; absent: there are no jobs. */
export const JOB_CLASSES_VARIABLE = 'SCIPION_JOB_CLASSES';

/** Mounted Secret of `sync`, a directory so that a changed Secret arrives without a restart. */
export const ONEDATA_SECRET_DIRECTORY = '/etc/scipion/onedata';
export const ONEDATA_SECRET_KEYS = {
  sourceToken: 'source-token',
  projectToken: 'project-token',
} as const;

/** Mounted Secret of `gateway`. */
export const GATEWAY_SECRET_DIRECTORY = '/etc/scipion/gateway';
export const GATEWAY_SECRET_KEYS = {
  /** `scrypt:N:r:p:<salt base64>:<hash base64>` */
  passwordHash: 'password-hash',
  /** Base64, at least 32 bytes; signs the session cookie. */
  sessionKey: 'session-key',
  /** Of the client at the sign-in server; absent where there is none. */
  signInClientSecret: 'sign-in-client-secret',
} as const;

/** Where the sign-in server sends a browser back to; it is registered there for each instance. */
export const SIGN_IN_CALLBACK_PATH = '/login/openid/callback';

/** TCP ports in the pod. Only `gateway` is reachable from outside; the others serve probes and metrics alone. */
export const PORTS = { gateway: 8080, gatewayProbes: 8081, syncProbes: 8082, jobsProbes: 8083 } as const;
