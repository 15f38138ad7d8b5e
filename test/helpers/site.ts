import { fileURLToPath } from 'node:url';
import { SITE } from '../../automation/preview/check-manifests.ts';
import { type RunOptions, runProgram } from '../../automation/recording/index.ts';

/** A site that is right, with what a test changes. */

export const SITE_FOLDER = fileURLToPath(new URL('../../site', import.meta.url));
export const SITE_CONFIG = SITE.config;
export const SITE_SECRETS = {
  passphrase: 'canary-passphrase-0123456789',
  signInClientSecret: 'canary-client-secret',
  webhookToken: 'canary-webhook-token',
} as const;

export const runSite = (changes: Partial<RunOptions> = {}) =>
  runProgram({
    directory: SITE_FOLDER,
    stack: 'production',
    stackFile: false,
    ...changes,
    config: changes.config ?? SITE_CONFIG,
    secretConfig: changes.secretConfig ?? SITE_SECRETS,
  });
