import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory } from '../../automation/tools/cache.ts';
import type { Report } from '../../automation/tools/progress.ts';

export interface BuildOptions {
  readonly containerfile: string;
  /** Folder that COPY reads. */
  readonly context: string;
  readonly buildArguments: Readonly<Record<string, string>>;
  /** id → file of this machine that steps may read and that never becomes part of the image. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Stands before each line of progress. */
  readonly title: string;
}

/** Images in a store of their own below the cache: nothing of the machine's containers is seen or touched. */
export class Buildah {
  readonly #globalArguments: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(driver: 'overlay' | 'vfs') {
    const store = join(storeDirectory(), driver);
    this.#globalArguments = ['--root', join(store, 'root'), '--runroot', join(store, 'run')];
    this.#environment = {
      STORAGE_DRIVER: driver,
      // Steps run in a chroot: no container runtime, no network set-up, works inside containers too.
      BUILDAH_ISOLATION: 'chroot',
      TMPDIR: join(store, 'tmp'),
    };
  }

  /** With overlay where the file system has it, else with plain copies (vfs), which are slower and larger. */
  static async open(): Promise<Buildah> {
    const overlay = new Buildah('overlay');
    await overlay.#prepare();
    const info = await overlay.#run(['info'], { reject: false });
    if (info.exitCode === 0) return overlay;
    const copies = new Buildah('vfs');
    await copies.#prepare();
    await copies.#run(['info']);
    return copies;
  }

  async has(image: string): Promise<boolean> {
    const result = await this.#run(['inspect', '--type', 'image', image], { reject: false });
    return result.exitCode === 0;
  }

  /** Makes a one-layer image of a tar of a root file system. */
  async importRoot(archive: string, image: string): Promise<void> {
    const container = (await this.#run(['from', 'scratch'])).stdout;
    try {
      await this.#run(['add', '--quiet', container, archive, '/']);
      await this.#run(['config', '--cmd', '/bin/bash', container]);
      await this.#run(['commit', '--quiet', container, image]);
    } finally {
      await this.#run(['rm', container]);
    }
  }

  /** Runs a Containerfile; steps whose inputs did not change are taken from before. */
  async build(image: string, options: BuildOptions, report: Report): Promise<void> {
    const args = ['build', '--layers', '--force-rm', '--pull=never', '--format', 'oci', '--tag', image];
    for (const [name, value] of Object.entries(options.buildArguments))
      args.push('--build-arg', `${name}=${value}`);
    for (const [id, file] of Object.entries(options.secrets)) args.push('--secret', `id=${id},src=${file}`);
    const child = this.#spawn([...args, '--file', options.containerfile, options.context]);
    try {
      for await (const line of child.iterable({ from: 'all' })) {
        const step = stepLine(line);
        if (step) report(`${options.title}: ${step}`);
      }
      await child;
    } catch (error) {
      throw buildError(options.title, error);
    }
  }

  /** Writes the image as an OCI archive that carries its name; the file appears whole or not at all. */
  async export(reference: string, archive: string): Promise<void> {
    const partial = `${archive}.${process.pid}.part`;
    await rm(partial, { force: true });
    try {
      // zstd: half the processor time of gzip on both sides.
      const compression = ['--compression-format', 'zstd', '--compression-level', '1'];
      await this.#run(['push', '--quiet', ...compression, reference, `oci-archive:${partial}:${reference}`]);
      await rename(partial, archive);
    } finally {
      await rm(partial, { force: true });
    }
  }

  /** Forgets images that no name and no other image refers to. */
  async prune(): Promise<void> {
    await this.#run(['rmi', '--prune'], { reject: false });
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#environment.TMPDIR ?? '', { recursive: true });
  }

  #spawn(args: readonly string[]) {
    return execa('buildah', [...this.#globalArguments, ...args], { env: this.#environment, all: true });
  }

  async #run(args: readonly string[], options: { readonly reject?: boolean } = {}) {
    return execa('buildah', [...this.#globalArguments, ...args], {
      env: this.#environment,
      reject: options.reject ?? true,
    });
  }
}

/** `STEP 4/20: RUN apt-get …` → `step 4 of 20: RUN apt-get …`; undefined for what is no step. */
export function stepLine(line: string): string | undefined {
  const match = /^STEP (\d+)\/(\d+): (.*)$/.exec(line);
  if (!match) return undefined;
  const [, number, total, instruction = ''] = match;
  const short = instruction.replaceAll(/\s+/g, ' ');
  return `step ${number} of ${total}: ${short.length > 70 ? `${short.slice(0, 69)}…` : short}`;
}

/** What buildah says of a store in which files of a layer are others than it wrote, or are gone. */
const DAMAGED_STORE = /file integrity checksum failed|layer not known|identifier is not (a|an) (layer|image)/;

const isDamagedStore = (error: unknown): boolean =>
  DAMAGED_STORE.test(error instanceof Error ? error.message : String(error));

/** Tries once more with an empty store where the one in the cache is damaged: all that is in it can be made again. */
export async function withSoundStore<T>(build: () => Promise<T>, report: Report): Promise<T> {
  try {
    return await build();
  } catch (error) {
    if (!isDamagedStore(error)) throw error;
    report(`the store of images in ${storeDirectory()} is damaged; all images are built anew`);
    await rm(storeDirectory(), { recursive: true, force: true });
    return build();
  }
}

function storeDirectory(): string {
  return cacheDirectory('images', 'store');
}

function buildError(title: string, error: unknown): Error {
  const output = String((error as { all?: string }).all ?? (error as Error).message);
  const tail = output.trim().split('\n').slice(-12).join('\n');
  return new Error(
    `Building the image of ${title} failed; its last lines:\n${tail}\n` +
      'Expected: reachable Debian and Python package registries and 5 GB of free disk space. ' +
      `Run the same command again; finished steps are kept in ${storeDirectory()}, which may be removed.`,
    { cause: error },
  );
}
