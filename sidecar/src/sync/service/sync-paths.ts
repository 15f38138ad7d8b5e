import { join } from 'node:path';
import {
  CONFIG_FILES,
  ONEDATA_SECRET_DIRECTORY,
  ONEDATA_SECRET_KEYS,
  RUN_FILES,
  SYNC_PATHS,
} from '../../../contract/paths.ts';

/** Every place of the file system that `sync` uses, so that tests can give their own. */
export interface SyncPaths {
  readonly sourceVolume: string;
  readonly projectVolume: string;
  readonly syncSocket: string;
  readonly jobsSocket: string;
  readonly vncSocket: string;
  readonly ready: string;
  readonly config: string;
  readonly sourceToken: string;
  readonly projectToken: string;
}

export const CONTAINER_PATHS: SyncPaths = {
  ...SYNC_PATHS,
  ...RUN_FILES,
  config: CONFIG_FILES.sync,
  sourceToken: join(ONEDATA_SECRET_DIRECTORY, ONEDATA_SECRET_KEYS.sourceToken),
  projectToken: join(ONEDATA_SECRET_DIRECTORY, ONEDATA_SECRET_KEYS.projectToken),
};
