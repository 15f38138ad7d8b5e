import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../tools/cache.ts';

/** A checker that Go builds once for its version; the cache keeps it. */
export interface GoTool {
  readonly name: string;
  readonly version: string;
  /** Its package, without the version. */
  readonly source: string;
}

/** Path of the program; builds it where the cache lacks it. @throws Error when Go is missing or the build fails. */
export async function goTool({ name, version, source }: GoTool): Promise<string> {
  const directory = cacheDirectory(name, version);
  const path = join(directory, name);
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true });
  const build = spawnSync('go', ['install', `${source}@${version}`], {
    env: { ...process.env, GOBIN: directory, GOFLAGS: '', CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  if (build.error || build.status !== 0) {
    const why = build.error ? 'Go was not found' : build.stderr.trim();
    throw new Error(
      `${name} ${version} could not be built: ${why}. Expected: Go ≥ 1.24 and its module proxy.`,
    );
  }
  return path;
}
