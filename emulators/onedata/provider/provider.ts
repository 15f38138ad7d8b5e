import type { EmulatorConfiguration } from '../configuration.ts';
import type { SpaceRecord } from '../store/spaces.ts';
import { type Capabilities, supports } from '../version.ts';

/** One provider of the zone, as clients see it. */
export interface Provider {
  readonly id: string;
  readonly name: string;
  /** Host name alone: what tells the providers apart behind one port. */
  readonly host: string;
  /** Host name with the port where it is not 443. */
  readonly domain: string;
  readonly version: string;
  readonly capabilities: Capabilities;
  supports(space: SpaceRecord): boolean;
  /** Its storage of the space can only be read. */
  isReadonly(spaceId: string): boolean;
}

/** The first one is that of the configuration itself; the others follow in their order. */
export function providersOf(
  configuration: EmulatorConfiguration,
  withPort: (host: string) => string,
): readonly [Provider, ...Provider[]] {
  const { providerId: id, providerName: name, providerHost: host, version } = configuration;
  const common = (own: { host: string; version: string; readonlySpaces: readonly string[] }) => ({
    host: own.host,
    domain: withPort(own.host),
    version: own.version,
    capabilities: supports(own.version),
    isReadonly: (spaceId: string) => own.readonlySpaces.includes(spaceId),
  });
  const first: Provider = {
    id,
    name,
    ...common({ host, version, readonlySpaces: configuration.readonlySpaces }),
    supports: (space) => space.supported,
  };
  const others = configuration.providers.map((own) => ({
    id: own.id,
    name: own.name,
    ...common({ ...own, version: own.version ?? version }),
    supports: (space: SpaceRecord) => own.spaces?.includes(space.id) ?? space.supported,
  }));
  return [first, ...others];
}
