import * as z from 'zod';

/** Releases whose behaviour the emulator can show; what differs stands in `supports()` of `version.ts`. */
export const VERSIONS = ['21.02.1', '21.02.4', '21.02.5', '21.02.8'] as const;

/** Becomes part of directory and cookie-like names, so it is kept to what Onedata itself uses. */
const identifier = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, - and _ only, at most 64');
const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name, no scheme, no port, no path');

export const spaceSchema = z.strictObject({
  id: identifier,
  name: z.string().min(1),
  /** Bytes; absent: no limit. Soft as in Onedata: a block is refused once the limit is already reached. */
  quotaBytes: z.int().min(0).optional(),
  /** Directory whose content is copied into the space when the space is made, and never again. */
  seedFrom: z.string().optional(),
  /** false: the space exists in the zone, but this provider does not support it. */
  supported: z.boolean().default(true),
});
export type SpaceConfiguration = z.infer<typeof spaceSchema>;

/** A further provider of the zone. All of them show the same files at once: they share one store. */
const providerSchema = z.strictObject({
  id: identifier,
  name: z.string().min(1),
  host: hostName,
  /** Default: that of the first provider. */
  version: z.enum(VERSIONS).optional(),
  /** Spaces that it supports; absent: those that the first one supports. */
  spaces: z.array(identifier).optional(),
  /** Spaces whose storage can only be read here. */
  readonlySpaces: z.array(identifier).default([]),
});
export type ProviderConfiguration = z.infer<typeof providerSchema>;

/** A further user; the first one is a member of every space. */
const userSchema = z.strictObject({
  id: identifier,
  /** Spaces that the user is a member of. */
  spaces: z.array(identifier),
});

const tokenSchema = z.strictObject({
  /** Names the file it is written to (`<dataDirectory>/tokens/<name>`, mode 0600). */
  name: identifier,
  /** Adds `data.readonly`. */
  readonly: z.boolean().default(false),
  /** Adds `data.path` with these spaces; empty: all spaces. */
  spaces: z.array(identifier).default([]),
});

const configurationSchema = z
  .strictObject({
    dataDirectory: z.string().min(1),
    /** Unix socket of the admin API; default `<dataDirectory>/admin.sock`. Whoever may open it may do everything. */
    adminSocket: z.string().optional(),
    listen: z
      .strictObject({ host: z.string().default('127.0.0.1'), port: z.int().min(0).max(65_535).default(8443) })
      .prefault({}),
    /** Port that clients see, e.g. 443 of a Service; default: the one that is listened on. */
    publicPort: z.int().optional(),
    zoneHost: hostName.default('onezone.onedata.localhost'),
    providerHost: hostName.default('provider.onedata.localhost'),
    providerId: identifier.default('provider-a'),
    providerName: z.string().default('Provider A'),
    /** Spaces whose storage can only be read at the first provider. */
    readonlySpaces: z.array(identifier).default([]),
    providers: z.array(providerSchema).default([]),
    userId: identifier.default('user-a'),
    users: z.array(userSchema).default([]),
    /** Of the first provider and of the zone. */
    version: z.enum(VERSIONS).default('21.02.8'),
    spaces: z.array(spaceSchema).default([]),
    tokens: z.array(tokenSchema).default([]),
    /** PEM files of a certificate made elsewhere; absent: the emulator makes its own authority and certificate. */
    certificate: z
      .strictObject({ certificateFile: z.string(), keyFile: z.string(), authorityFile: z.string() })
      .optional(),
  })
  .refine((given) => new Set(hostsOf(given)).size === hostsOf(given).length, {
    path: ['zoneHost'],
    error: ({ input }) =>
      `Zone and providers are told apart by the host of a request, so each needs one of its own. Found: ${hostsOf(input as Hosts).join(', ')}. ` +
      'Expected: different names, e.g. onezone.onedata.localhost and provider.onedata.localhost.',
  });

interface Hosts {
  readonly zoneHost: string;
  readonly providerHost: string;
  readonly providers: readonly { readonly host: string }[];
}
const hostsOf = ({ zoneHost, providerHost, providers }: Hosts) =>
  [zoneHost, providerHost, ...providers.map(({ host }) => host)].map((host) => host.toLowerCase());
/** @param where it is from, for the sentence @throws Error that names every value that is not as it has to be */
export function parseConfiguration(given: unknown, where = 'its options'): EmulatorConfiguration {
  const parsed = configurationSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    [path.join('.'), message].filter((part) => part !== '').join(': '),
  );
  throw new Error(`The emulator cannot start with ${where}. ${problems.join('; ')}`);
}

export type EmulatorConfiguration = z.infer<typeof configurationSchema>;
export type EmulatorOptions = z.input<typeof configurationSchema>;

/** The two spaces and two tokens that an instance needs, as `npm run onedata` and the pod offer them. */
export const INSTANCE_SPACES = { source: 'source', project: 'project' } as const;

export function instanceDefaults(): Pick<EmulatorOptions, 'spaces' | 'tokens'> {
  return {
    spaces: [
      { id: INSTANCE_SPACES.source, name: 'Microscope' },
      { id: INSTANCE_SPACES.project, name: 'Projects' },
    ],
    tokens: [
      { name: 'source', readonly: true, spaces: [INSTANCE_SPACES.source] },
      { name: 'project', spaces: [INSTANCE_SPACES.project] },
    ],
  };
}
