import { join } from 'node:path';
import type { SyncConfig } from '../../../contract/config.ts';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { systemClock } from '../../clock.ts';
import { Bandwidth, withBandwidth } from '../../spaces/bandwidth.ts';
import { MountedSpace } from '../../spaces/mounted-space.ts';
import {
  checkToken,
  checkTokenOf,
  fileToken,
  type HostChoice,
  openDiscoveredSpace,
  openOnedataSpace,
  ProviderChoice,
  type TokenToCheck,
} from '../../spaces/onedata/index.ts';
import type { RetryPolicy } from '../../spaces/retry.ts';
import { withRetry } from '../../spaces/retry.ts';
import type { ReadOnlySpace, Side, Space } from '../../spaces/space.ts';
import { LiveSettings } from './live-settings.ts';
import type { SyncPaths } from './sync-paths.ts';
import type { TokenSource } from './token-watch.ts';

/** Makes the two spaces; tests put their own in. */
export interface SpaceFactory {
  source(): ReadOnlySpace;
  project(): Space;
  /** The tokens of the spaces that have one, to be checked before they are needed. */
  readonly tokens?: Partial<Record<Side, TokenSource>>;
}

/** Onedata over REST, or as a volume shows it. Tokens are read from their files for each request, so a changed Secret is used at once. */
export function onedataSpaces(
  config: SyncConfig,
  paths: SyncPaths,
  policy: Partial<RetryPolicy> = {},
  /** Where the zone is, if not where tokens say. */
  zoneHost?: string,
  settings: LiveSettings = new LiveSettings(config),
): SpaceFactory {
  const authorities =
    config.certificateAuthorities === undefined
      ? {}
      : { certificateAuthorities: config.certificateAuthorities };
  const tokenOf = (which: Side) => fileToken(which === 'source' ? paths.sourceToken : paths.projectToken);
  const volumeOf = (which: Side) => (which === 'source' ? paths.sourceVolume : paths.projectVolume);
  const choiceOf = (which: Side): ProviderChoice =>
    new ProviderChoice({
      ...authorities,
      ...(zoneHost === undefined ? {} : { zoneHost }),
      spaceId: config[which].spaceId,
      use: which === 'source' ? 'read' : 'write',
      file: join(volumeOf(which), VOLUME_FOLDERS.state, 'provider.json'),
    });
  const choices = { source: choiceOf('source'), project: choiceOf('project') };
  const open = (which: Side): Space => {
    const space = config[which];
    if (!('directory' in space)) {
      const { host, spaceId } = space;
      const options = { ...authorities, spaceId, token: tokenOf(which) };
      return host === undefined
        ? openDiscoveredSpace(options, choices[which])
        : openOnedataSpace({ ...options, host });
    }
    const identityFile = join(volumeOf(which), VOLUME_FOLDERS.state, 'mounted-space.json');
    return new MountedSpace({ ...space, side: which, identityFile });
  };
  const toCheck = (which: Side): TokenToCheck | null => {
    const space = config[which];
    if ('directory' in space) return null;
    const found: HostChoice['host'] = (token, signal) => choices[which].host(token, signal);
    const { host = found, spaceId } = space;
    return { ...authorities, host, spaceId, token: tokenOf(which) };
  };
  const [source, project] = [toCheck('source'), toCheck('project')];
  /** A mounted space needs no token here; its driver has one. */
  const tokenSource = (which: Side): { [key in Side]?: TokenSource } => {
    const own = which === 'source' ? source : project;
    if (own === null) return {};
    const use = which === 'source' ? 'read' : 'write';
    const check = (signal: AbortSignal) =>
      source && project
        ? checkTokenOf(which, { source, project }, signal)
        : checkToken({ ...own, use, signal });
    return { [which]: { read: own.token, check } };
  };
  // Both spaces share the line.
  const lines = {
    down: new Bandwidth(() => settings.now.downloadBytesPerSecond, systemClock),
    up: new Bandwidth(() => settings.now.uploadBytesPerSecond, systemClock),
  };
  return {
    tokens: { ...tokenSource('source'), ...tokenSource('project') },
    source: () => withBandwidth(withRetry(open('source') as ReadOnlySpace, policy), lines),
    project: () => withBandwidth(withRetry(open('project'), policy), lines),
  };
}
