import type { SyncConfig } from '../../contract/config.ts';
import { fileToken, openOnedataSpace } from '../onedata/index.ts';
import type { RetryPolicy } from './retry.ts';
import { withRetry } from './retry.ts';
import type { ReadOnlySpace, Space } from './space.ts';
import type { SyncPaths } from './sync-paths.ts';

/** Makes the two spaces; tests put their own in. */
export interface SpaceFactory {
  source(): ReadOnlySpace;
  project(): Space;
}

/** Onedata over REST. Tokens are read from their files for each request, so a changed Secret is used at once. */
export function onedataSpaces(
  config: SyncConfig,
  paths: SyncPaths,
  policy: Partial<RetryPolicy> = {},
): SpaceFactory {
  const open = (which: 'source' | 'project'): Space =>
    openOnedataSpace({
      ...config[which],
      token: fileToken(which === 'source' ? paths.sourceToken : paths.projectToken),
      ...(config.certificateAuthorities === undefined
        ? {}
        : { certificateAuthorities: config.certificateAuthorities }),
    });
  return {
    source: () => withRetry(open('source') as ReadOnlySpace, policy),
    project: () => withRetry(open('project'), policy),
  };
}
