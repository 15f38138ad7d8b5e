import type { SyncConfig } from '../../contract/config.ts';
import { checkToken, fileToken, openOnedataSpace } from '../onedata/index.ts';
import type { Side } from './problems.ts';
import type { RetryPolicy } from './retry.ts';
import { withRetry } from './retry.ts';
import type { ReadOnlySpace, Space } from './space.ts';
import type { SyncPaths } from './sync-paths.ts';
import type { TokenSource } from './token-watch.ts';

/** Makes the two spaces; tests put their own in. */
export interface SpaceFactory {
  source(): ReadOnlySpace;
  project(): Space;
  /** The tokens of the spaces that have one, to be checked before they are needed. */
  readonly tokens?: Partial<Record<Side, TokenSource>>;
}

/** Onedata over REST. Tokens are read from their files for each request, so a changed Secret is used at once. */
export function onedataSpaces(
  config: SyncConfig,
  paths: SyncPaths,
  policy: Partial<RetryPolicy> = {},
): SpaceFactory {
  const authorities =
    config.certificateAuthorities === undefined
      ? {}
      : { certificateAuthorities: config.certificateAuthorities };
  const tokenOf = (which: Side) => fileToken(which === 'source' ? paths.sourceToken : paths.projectToken);
  const open = (which: Side): Space =>
    openOnedataSpace({ ...config[which], ...authorities, token: tokenOf(which) });
  const tokenSource = (which: Side): TokenSource => ({
    read: tokenOf(which),
    check: (signal) =>
      checkToken({
        ...config[which],
        ...authorities,
        token: tokenOf(which),
        use: which === 'source' ? 'read' : 'write',
        signal,
      }),
  });
  return {
    tokens: { source: tokenSource('source'), project: tokenSource('project') },
    source: () => withRetry(open('source') as ReadOnlySpace, policy),
    project: () => withRetry(open('project'), policy),
  };
}
