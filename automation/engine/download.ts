import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { EnvHttpProxyAgent, fetch } from 'undici';

/** The vendor's own releases, for machines that reach the internet. */

export interface Vendor {
  /** Where the archives are. */
  readonly releases: string;
  /** Where the list of their checksums is; another server than the archives', so that one alone cannot lie. */
  readonly checksums: string;
}

export const VENDOR: Vendor = {
  releases: 'https://get.pulumi.com/releases/sdk',
  checksums: 'https://github.com/pulumi/pulumi/releases/download',
};

/** As curl and Go do, but not Node.js by itself: HTTPS_PROXY, HTTP_PROXY and NO_PROXY. */
const throughProxy = () => ({ dispatcher: new EnvHttpProxyAgent() });

const PROBE_MS = 5_000;
const DOWNLOAD_MS = 10 * 60_000;

/** Why the vendor cannot be reached; undefined when it can. */
export async function whyOffline(vendor: Vendor = VENDOR): Promise<string | undefined> {
  try {
    await fetch(vendor.releases, {
      ...throughProxy(),
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(PROBE_MS),
    });
    return undefined;
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    return `${new URL(vendor.releases).host} cannot be reached (${cause?.code ?? (error as Error).name})`;
  }
}

/**
 * Puts `pulumi` and the vendor's language hosts of a version into `directory`.
 * @throws Error when a server refuses, or the archive is not the one that was released
 */
export async function downloadCli(
  version: string,
  directory: string,
  vendor: Vendor = VENDOR,
): Promise<void> {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  const name = `pulumi-v${version}-${process.platform}-${architecture}.tar.gz`;
  const list = (await get(`${vendor.checksums}/v${version}/pulumi-${version}-checksums.txt`)).toString(
    'utf8',
  );
  const expected = list
    .split('\n')
    .find((line) => line.endsWith(name))
    ?.split(/\s+/)[0];
  if (!expected) throw new Error(`The vendor's list of checksums for ${version} does not name ${name}.`);
  const archive = await get(`${vendor.releases}/${name}`);
  const found = createHash('sha256').update(archive).digest('hex');
  if (found !== expected) {
    throw new Error(
      `${vendor.releases}/${name} is not what was released: found SHA-256 ${found}, expected ${expected}.`,
    );
  }
  const file = join(directory, name);
  await writeFile(file, archive);
  await execa('tar', [
    '--extract',
    '--gzip',
    '--file',
    file,
    '--directory',
    directory,
    '--strip-components=1',
  ]);
}

async function get(url: string): Promise<Buffer> {
  const response = await fetch(url, { ...throughProxy(), signal: AbortSignal.timeout(DOWNLOAD_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}.`);
  return Buffer.from(await response.arrayBuffer());
}
