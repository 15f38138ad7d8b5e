import { stringify } from 'yaml';
import { consoleSettings } from '../console-settings.ts';
import type { SiteConfig } from '../load.ts';
import { CONFIG_FILES, NAMES } from '../names.ts';
import { metadata } from './metadata.ts';

/** What the console reads at its start, without any secret. */

export function configFiles(config: SiteConfig): Record<string, string> {
  return {
    [CONFIG_FILES.console]: `${JSON.stringify(consoleSettings(config), null, 2)}\n`,
    [CONFIG_FILES.project]: stringify(config.project),
  };
}

export const configMapManifest = (config: SiteConfig) => ({
  metadata: metadata(config.namespace, NAMES.config),
  data: configFiles(config),
});
