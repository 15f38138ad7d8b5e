import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, cacheKey } from '../../automation/tools/cache.ts';
import type { Command } from './measure.ts';
import type { Teller } from './teller.ts';

export const RCLONE_VERSION = 'v1.76.0';
const MODULE = `github.com/rclone/rclone@${RCLONE_VERSION}`;
const READY_MS = 20_000;

/**
 * The program, built once from its Go module; the checksum database of Go checks what is downloaded.
 * @throws Error where Go is missing or the build fails
 */
export async function ensureRclone(teller: Teller): Promise<string> {
  const folder = cacheDirectory('bench', cacheKey('rclone', RCLONE_VERSION));
  const program = join(folder, 'rclone');
  if (existsSync(program)) return program;
  teller.step(`building rclone ${RCLONE_VERSION} from its Go module, once (some minutes)`);
  const building = `${folder}.${process.pid}`;
  await mkdir(building, { recursive: true });
  try {
    const result = await execa('nice', ['go', 'install', '-trimpath', MODULE], {
      env: { CGO_ENABLED: '0', GOBIN: building, GOFLAGS: '', GOGC: '400' },
      reject: false,
      all: true,
    });
    if (result.exitCode !== 0) {
      throw new Error(
        `building rclone failed; expected Go ≥ 1.24 and a reachable Go proxy. It said:\n${String(result.all).slice(-1500)}`,
      );
    }
    await mkdir(folder, { recursive: true });
    await rename(join(building, 'rclone'), program);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return program;
}

export interface RcloneServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Environment without anybody's own configuration. */
export const RCLONE_ENVIRONMENT = { RCLONE_CONFIG: '/dev/null' } as const;

export interface ServeOptions {
  readonly program: string;
  readonly kind: 'http' | 's3';
  readonly directory: string;
  /** Certificate and key files, for HTTPS. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  /** `key,secret`, for s3. */
  readonly keys?: string;
}

/** Serves a directory on a free port of 127.0.0.1. */
export async function serveWithRclone(options: ServeOptions): Promise<RcloneServer> {
  const { program, kind, directory, tls, keys } = options;
  const child = spawn(
    program,
    [
      'serve',
      kind,
      directory,
      '--addr=127.0.0.1:0',
      '-v',
      ...(tls === undefined ? [] : [`--cert=${tls.certificateFile}`, `--key=${tls.keyFile}`]),
      ...(keys === undefined ? [] : [`--auth-key=${keys}`]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...RCLONE_ENVIRONMENT } },
  );
  let said = '';
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const close = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  const address = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`rclone serve ${kind} did not begin to listen; it said:\n${said}`)),
      READY_MS,
    );
    child.stderr.on('data', (chunk: Buffer) => {
      if (said.length < 10_000) said += chunk.toString('utf8');
      const found = /(https?:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    void ended.then(() => reject(new Error(`rclone serve ${kind} ended; it said:\n${said}`)));
  }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return { url: address, close };
}

/** `rclone copy` as a user would tune it for many files: no checks that need more requests, this many at one time. */
export function rcloneCopy(
  program: string,
  from: string,
  to: string,
  transfers: number,
  more: readonly string[] = [],
): Command {
  return {
    file: program,
    arguments: ['copy', from, to, `--transfers=${transfers}`, `--checkers=${transfers}`, ...more],
    environment: RCLONE_ENVIRONMENT,
  };
}
