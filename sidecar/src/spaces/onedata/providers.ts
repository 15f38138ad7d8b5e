import { tokenFacts } from '../../../contract/token-facts.ts';
import { SpaceError } from '../space-error.ts';
import { type HttpOptions, OnedataHttp } from './http-client.ts';
import { isVersionAtLeast, OLDEST_VERSION, ProviderClient } from './provider-client.ts';
import type { ProxySettings } from './proxy.ts';
import { inferScope } from './zone.ts';

/** A provider that supports the space, by the word of the zone. */
export interface SupportingProvider {
  readonly id: string;
  readonly name: string;
  /** Host name, with a port where it is not 443. */
  readonly host: string;
  readonly version: string;
  readonly isOnline: boolean;
  /** Its storage of the space can only be read. */
  readonly isReadonly: boolean;
}

export interface DiscoveryOptions {
  readonly spaceId: string;
  readonly token: () => Promise<string>;
  /** Default: the zone that the token names itself. */
  readonly zoneHost?: string;
  readonly certificateAuthorities?: string;
  readonly proxy?: ProxySettings;
  readonly signal?: AbortSignal;
}

export interface ChoiceOptions extends DiscoveryOptions {
  /** `write`: only providers whose storage can be written. */
  readonly use: 'read' | 'write';
  /** Taken whenever it is online, however near others are. */
  readonly preferredHost?: string;
}

const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Everything from a token alone: it names its zone, and the zone says who supports the space.
 * @throws SpaceError token-…; space-unknown; space-not-supported; unreachable where the zone gives no answer
 */
export async function findProviders(options: DiscoveryOptions): Promise<SupportingProvider[]> {
  const { spaceId } = options;
  const zoneHost = options.zoneHost ?? tokenFacts(await options.token())?.zone;
  if (zoneHost === undefined) {
    throw new SpaceError(
      'token-invalid',
      `The Onedata token for space ${spaceId} names no zone. Make a new access token in the web page of your zone.`,
    );
  }
  const scope = await inferScope(httpOptions(options, zoneHost), { signal: options.signal });
  if (!scope) {
    throw new SpaceError(
      'unreachable',
      `The zone ${zoneHost} does not say which providers support space ${spaceId}: it is out of reach, or older than 21.02.4. Name the provider instead.`,
    );
  }
  const { spaces = {}, providers = {} } = scope.dataAccessScope ?? {};
  const space = spaces[spaceId];
  if (!space)
    throw new SpaceError('space-unknown', `The zone ${zoneHost} knows no space ${spaceId} for this token.`);
  return Object.entries(space.supports).flatMap(([id, support]) => {
    const known = providers[id];
    if (!known) return [];
    const { name, domain: host, version, online: isOnline } = known;
    return [{ id, name, host, version, isOnline, isReadonly: support.readonly }];
  });
}

/**
 * One provider for the whole life of a connection: the preferred one. Else, to read, the one that answers first. ⚠ Another
 * one may show an older state of the space; work that is restored from there would begin where it stood earlier. So, to
 * write, it is the first by its id, whether it is online or not: the same one in each life of an instance.
 * @throws SpaceError as `findProviders`; read-only; unsupported; unreachable where none is online
 */
export async function chooseProvider(options: ChoiceOptions): Promise<SupportingProvider> {
  const { spaceId, use, preferredHost } = options;
  const all = await findProviders(options);
  if (all.length === 0)
    throw new SpaceError('space-not-supported', `No provider supports space ${spaceId} any more.`);
  const list = (providers: readonly SupportingProvider[]) => providers.map(({ host }) => host).join(', ');
  const writable = all.filter(({ isReadonly }) => use === 'read' || !isReadonly);
  if (writable.length === 0) {
    throw new SpaceError(
      'read-only',
      `Space ${spaceId} can only be read at each of its providers: ${list(all)}.`,
    );
  }
  const usable = writable.filter(({ version }) => isVersionAtLeast(version, OLDEST_VERSION));
  if (usable.length === 0) {
    throw new SpaceError(
      'unsupported',
      `The providers of space ${spaceId} are too old (${list(writable)}): Onedata 21.02.1 or later is needed.`,
    );
  }
  if (use === 'write') return preferredOf(usable, preferredHost) ?? firstById(usable, spaceId);
  const online = usable.filter(({ isOnline }) => isOnline);
  const chosen = preferredOf(online, preferredHost) ?? (await firstToAnswer(online, options));
  if (chosen) return chosen;
  throw new SpaceError('unreachable', `No provider of space ${spaceId} is online: ${list(usable)}.`);
}

const preferredOf = (providers: readonly SupportingProvider[], host: string | undefined) =>
  providers.find((provider) => provider.isOnline && provider.host === host);

function firstById(providers: readonly SupportingProvider[], spaceId: string): SupportingProvider {
  const [first, ...others] = [...providers].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (first?.isOnline) return first;
  const hosts = others.filter(({ isOnline }) => isOnline).map(({ host }) => host);
  const advice =
    hosts.length === 0
      ? ''
      : ` These are online, but may show an older state of it: ${hosts.join(', ')}. To use one all the same, set it.`;
  throw new SpaceError(
    'unreachable',
    `The provider ${first?.host} of space ${spaceId} is not online.${advice}`,
  );
}

/** undefined: none answers. */
async function firstToAnswer(
  providers: readonly SupportingProvider[],
  options: DiscoveryOptions,
): Promise<SupportingProvider | undefined> {
  const losers = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, losers.signal]) : losers.signal;
  const answered = providers.map(async (provider) => {
    const http = new OnedataHttp(httpOptions(options, provider.host));
    try {
      await new ProviderClient(http, options.spaceId).configuration({ signal });
      return provider;
    } finally {
      await http.close();
    }
  });
  try {
    return await Promise.any(answered);
  } catch {
    options.signal?.throwIfAborted();
    return undefined;
  } finally {
    losers.abort();
    await Promise.allSettled(answered);
  }
}

const httpOptions = (options: DiscoveryOptions, host: string): HttpOptions => ({
  host,
  spaceId: options.spaceId,
  token: options.token,
  certificateAuthorities: options.certificateAuthorities,
  concurrency: 1,
  stallTimeoutMs: ANSWER_TIMEOUT_MS,
  proxy: options.proxy,
});
