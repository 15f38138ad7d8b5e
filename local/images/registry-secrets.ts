import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Settings of pip that say how to reach the package registry; a URL among them may hold a password. */
const PIP_VARIABLES = [
  'PIP_INDEX_URL',
  'PIP_EXTRA_INDEX_URL',
  'PIP_TRUSTED_HOST',
  'PIP_DEFAULT_TIMEOUT',
] as const;

/**
 * How this machine reaches its Python registry, as secrets of a build: read while it runs, in no layer of the image.
 *
 * @param directory a folder that is removed after the build
 * @returns id that `desktop/Containerfile` uses → file
 */
export async function registrySecrets(
  directory: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Record<string, string>> {
  const settings = join(directory, 'pip-environment');
  await writeFile(settings, exports(environment), { mode: 0o600 });
  const secrets: Record<string, string> = { 'pip-environment': settings };
  const configuration = firstFile(
    environment.PIP_CONFIG_FILE,
    join(homedir(), '.config/pip/pip.conf'),
    join(homedir(), '.pip/pip.conf'),
    '/etc/pip.conf',
  );
  if (configuration) secrets['pip-config'] = configuration;
  const certificates = firstFile(
    environment.PIP_CERT,
    environment.SSL_CERT_FILE,
    '/etc/ssl/certs/ca-certificates.crt',
  );
  if (certificates) secrets.certificates = certificates;
  return secrets;
}

/** Lines that a shell reads. */
export function exports(environment: NodeJS.ProcessEnv): string {
  return PIP_VARIABLES.filter((name) => environment[name])
    .map((name) => `export ${name}='${environment[name]?.replaceAll("'", `'\\''`)}'\n`)
    .join('');
}

function firstFile(...paths: readonly (string | undefined)[]): string | undefined {
  return paths.find((path) => path && existsSync(path));
}
