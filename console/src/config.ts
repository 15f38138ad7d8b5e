import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import * as z from 'zod';
import { SettingsError } from '../../sidecar/src/front/settings-error.ts';
import { parseSizeBytes } from '../../stacks/units.ts';

/** The configuration of the console: one JSON file, which holds no secret. */

const openIdSchema = z.strictObject({
  kind: z.literal('openid'),
  /** As the provider names itself; its metadata is found from there. */
  issuer: z.url(),
  clientId: z.string().min(1),
  /** Absent: a public client, which PKCE alone protects. */
  clientSecretFile: z.string().optional(),
  scope: z.string().default('openid profile offline_access'),
  /** Claim that says who somebody is and never names anybody else: instances belong to its value. */
  userClaim: z.string().default('sub'),
  nameClaim: z.string().default('preferred_username'),
  groupsClaim: z.string().default('groups'),
});

const NETWORK = /^([0-9a-f.:]+)\/(\d{1,3})$/i;
const networkSchema = z.string().refine((text) => isIP(NETWORK.exec(text)?.[1] ?? '') !== 0, {
  message: 'expected a network, e.g. 10.0.0.0/24',
});
const HEADER = z.string().regex(/^[a-z][a-z0-9-]*$/, 'expected the name of a header in small letters');

const proxySchema = z.strictObject({
  kind: z.literal('proxy'),
  /** Who may say who somebody is: the proxy, and nobody else in these networks. */
  networks: z.array(networkSchema).min(1),
  userHeader: HEADER.default('x-forwarded-user'),
  nameHeader: HEADER.default('x-forwarded-preferred-username'),
  groupsHeader: HEADER.default('x-forwarded-groups'),
});

/** → bytes */
const sizeSchema = z.string().transform((text, context) => {
  const bytes = parseSizeBytes(text);
  if (bytes !== undefined) return bytes;
  context.addIssue('expected a size, e.g. 64Gi');
  return z.NEVER;
});

const webhookSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  /** Sent as `Authorization: Bearer`. */
  tokenFile: z.string().min(1).optional(),
});
export type WebhookConfig = z.output<typeof webhookSchema>;

export const consoleConfigSchema = z.strictObject({
  /** What a browser shows as origin, e.g. `https://console.example.org`. */
  publicOrigin: z.url(),
  signIn: z.discriminatedUnion('kind', [openIdSchema, proxySchema]),
  /** Groups whose members may have instances; none: everybody who can sign in. */
  userGroups: z.array(z.string()).default([]),
  /** Groups whose members see and look after the instances of all. */
  operatorGroups: z.array(z.string()).default([]),
  /** Zones of Onedata that tokens may be of; absent: any, which is then asked. */
  zones: z.array(z.string()).optional(),
  /** What one user may have; what is not named is not limited. Operators are not limited. */
  limits: z
    .strictObject({
      instances: z.int().min(1).optional(),
      /** CPUs that are always there, of instances that run. */
      cpus: z.number().positive().optional(),
      /** Of instances that run. */
      memory: sizeSchema.optional(),
      /** Of both volumes of all instances, also of those that are paused. */
      storage: sizeSchema.optional(),
    })
    .default({}),
  /** Pauses what nobody is connected to and what computes nothing. Absent: nothing is paused for it. */
  idle: z
    .strictObject({
      pauseAfterHours: z.number().positive().max(8760),
      /** It is told so long before. */
      warnHours: z.number().positive().default(1),
    })
    .refine(({ pauseAfterHours, warnHours }) => warnHours <= pauseAfterHours, {
      path: ['warnHours'],
      message: 'expected at most pauseAfterHours',
    })
    .optional(),
  /** Instances end: they are paused, never removed. Absent: none does. */
  expiry: z
    .strictObject({
      /** Of what is made from now on; absent: operators set the end of each. */
      days: z.number().positive().max(3650).optional(),
      warnDays: z.number().positive().default(7),
    })
    .optional(),
  /** Told of warnings and pauses, so that it writes e-mails. */
  webhook: webhookSchema.optional(),
  /** File whose text, where there is any, stands above every page. */
  announcementFile: z.string().min(1).optional(),
  /** Operations on instances that run at a time. */
  atOnce: z.int().min(1).max(32).default(4),
});
export type ConsoleConfig = z.output<typeof consoleConfigSchema>;
export type OpenIdConfig = z.output<typeof openIdSchema>;
export type ProxyConfig = z.output<typeof proxySchema>;

/** Names that browsers take for this very machine, to which plain HTTP is as safe as HTTPS. */
export const isLoopback = ({ hostname }: URL) =>
  hostname === 'localhost' ||
  hostname.endsWith('.localhost') ||
  hostname === '127.0.0.1' ||
  hostname === '[::1]';

/** @throws SettingsError with one line a problem */
export function judgeConfig(given: unknown, where: string): ConsoleConfig {
  const found = consoleConfigSchema.safeParse(given);
  if (!found.success)
    throw new SettingsError(`The configuration of the console, ${where}:\n${z.prettifyError(found.error)}`);
  const origin = new URL(found.data.publicOrigin);
  const addresses = [
    origin,
    ...(found.data.signIn.kind === 'openid' ? [new URL(found.data.signIn.issuer)] : []),
    ...(found.data.webhook ? [new URL(found.data.webhook.url)] : []),
  ];
  const plain = addresses.find((url) => url.protocol !== 'https:' && !isLoopback(url));
  if (plain !== undefined)
    throw new SettingsError(
      `The configuration of the console, ${where}: found ${plain.origin}, expected an address with https, since sessions, tokens and names go there.`,
    );
  return { ...found.data, publicOrigin: origin.origin };
}

/** @throws SettingsError with one line a problem */
export function loadConfig(path: string): ConsoleConfig {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError(
      `The configuration of the console, ${path}: ${code ?? 'it is not JSON'}. Expected: a file as docs/console.md shows.`,
    );
  }
  return judgeConfig(json, path);
}

/** @throws SettingsError; the content is not shown */
export function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError(`A secret cannot be read: ${path} (${code}). Expected: a file.`);
  }
}

export function networksOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [, address = '', bits = ''] = NETWORK.exec(text) ?? [];
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
