import { stringify } from 'yaml';
import type { SiteConfig } from '../load.ts';
import { CONFIG_FILES, FOLDERS, NAMES, SECRET_FILES } from '../names.ts';
import { metadata } from './metadata.ts';

/** What the console reads at its start, without any secret. */

const secretFile = (key: keyof typeof SECRET_FILES) => `${FOLDERS.secrets}/${SECRET_FILES[key]}`;

export const publicOrigin = ({ host }: Pick<SiteConfig, 'host'>) => `https://${host}`;

/** Configuration of the console as docs/console.md has it, with the files of the secrets that there are. */
export function consoleSettings({
  host,
  given,
  secretKeys,
}: Pick<SiteConfig, 'host' | 'given' | 'secretKeys'>) {
  const { signIn, webhook } = given as { signIn?: object; webhook?: object };
  const file = (key: keyof typeof SECRET_FILES, name: string) =>
    secretKeys.includes(key) ? { [name]: secretFile(key) } : {};
  return {
    ...given,
    publicOrigin: publicOrigin({ host }),
    signIn: { ...signIn, ...file('signInClientSecret', 'clientSecretFile') },
    ...(webhook === undefined ? {} : { webhook: { ...webhook, ...file('webhookToken', 'tokenFile') } }),
  };
}

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
