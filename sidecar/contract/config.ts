import * as z from 'zod';

/** A space over REST. The token is not here: it is in the Secret's directory. */
const remoteSpace = z.strictObject({
  /**
   * Host name of the Oneprovider, no scheme, no path; a port only where it is not 443. Absent: found from the token, which
   * names its zone, and kept.
   */
  host: z.string().min(1).optional(),
  spaceId: z.string().min(1),
});

/** A space that a volume of the cluster shows as a directory. */
const mountedSpace = z.strictObject({
  /** Where the volume is mounted in `sync`. */
  directory: z.string().min(1),
  spaceId: z.string().min(1),
  /** Nothing but a mount of a FUSE client counts as the space. */
  fileSystem: z.literal('fuse').optional(),
});

const spaceConfig = z.union([remoteSpace, mountedSpace]);

/** Content of `CONFIG_FILES.sync`. */
export const syncConfigSchema = z.strictObject({
  /** Names the holder of the lease to other instances: `<namespace>/<stack>`. */
  instance: z.string().min(1),
  source: spaceConfig,
  project: spaceConfig,
  /** Glob patterns of what is copied from the source space; absent: everything. */
  sourceInclude: z.array(z.string().min(1)).optional(),
  /** Glob patterns of what is not, although it is included. */
  sourceExclude: z.array(z.string().min(1)).optional(),
  /** Bytes a second of all transfers together; absent: as many as the line gives. */
  downloadBytesPerSecond: z.int().min(65_536).optional(),
  uploadBytesPerSecond: z.int().min(65_536).optional(),
  /** The project space is checked against its manifest so often; 0: only when it is asked for. @default 7 */
  verifyEveryDays: z.number().min(0).max(365).optional(),
  /** Bytes a second that such a check reads. @default 4 MiB */
  verifyBytesPerSecond: z.int().min(65_536).optional(),
  /** Of the process beside others. @default low */
  priority: z.enum(['low', 'normal']).optional(),
  autosaveIntervalSeconds: z.int().min(10),
  /** Seconds between SIGTERM and SIGKILL of the pod; the final save plans with it. */
  graceSeconds: z.int().min(30),
  /** Which older saves can be brought back; what is absent: `DEFAULT_SAVE_RETENTION` of `sync`. */
  keepSaves: z
    .strictObject({
      last: z.int().min(0).optional(),
      hourly: z.int().min(0).optional(),
      daily: z.int().min(0).optional(),
      weekly: z.int().min(0).optional(),
      maxBytes: z.number().min(0).optional(),
    })
    .optional(),
  /** Jobs of the cluster write to the project volume beside the desktop; a drain asks their broker. */
  hasJobs: z.boolean().optional(),
  /** PEM bundle of additional certificate authorities for the Onedata hosts. */
  certificateAuthorities: z.string().optional(),
});
export type SyncConfig = z.infer<typeof syncConfigSchema>;

/** What `sync` takes over while it runs, when the mounted file changes; everything else is read at its start. */
export const LIVE_SYNC_KEYS = [
  'autosaveIntervalSeconds',
  'keepSaves',
  'downloadBytesPerSecond',
  'uploadBytesPerSecond',
  'verifyEveryDays',
  'verifyBytesPerSecond',
] as const satisfies readonly (keyof SyncConfig)[];
export type LiveSyncSettings = Pick<SyncConfig, (typeof LIVE_SYNC_KEYS)[number]>;

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Encrypted, but on one machine, where tests are. */
function isIssuer(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.includes(hostname));
}

/** Sign-in at an OpenID provider. The client's secret is in the gateway's Secret. */
const signInConfig = z.strictObject({
  issuer: z.url().refine(isIssuer),
  clientId: z.string().min(1),
  scopes: z.array(z.string().min(1)).min(1),
  /** Who comes in: users by this claim, and members of groups by that one. */
  userClaim: z.string().min(1),
  users: z.array(z.string().min(1)),
  groupClaim: z.string().min(1),
  groups: z.array(z.string().min(1)),
  /** PEM bundle of additional certificate authorities for it. */
  certificateAuthorities: z.string().optional(),
});
export type SignInConfig = z.infer<typeof signInConfig>;

/** Content of `CONFIG_FILES.gateway`. */
export const gatewayConfigSchema = z.strictObject({
  /** Shown in the page's title. */
  instance: z.string().min(1),
  /** Origin the browser uses, e.g. `https://scipion.demo.example.org`; WebSockets from elsewhere are refused. */
  publicOrigin: z.url(),
  /** Absent: only the password, and the codes of a console. */
  signIn: signInConfig.optional(),
  /** @default true */
  passwordLogin: z.boolean().optional(),
  /** The instance has jobs, which the page shows. */
  hasJobs: z.boolean().optional(),
});
export type GatewayConfig = z.infer<typeof gatewayConfigSchema>;
