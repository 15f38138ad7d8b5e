import { copyFile, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheKey } from '../tools/cache.ts';
import {
  countingDownloads,
  countingProgress,
  countPackages,
  GO_FLAGS,
  type GoRun,
  go,
  goBuild,
} from '../tools/go.ts';
import type { Report } from '../tools/progress.ts';
import { type PluginName, VERSIONS } from './versions.ts';

/**
 * Pulumi and its plugins from their Go modules, for machines that reach package registries and nothing else. The module
 * proxy has the engine and the Kubernetes provider; the host of Node.js programs and the random provider it has not,
 * so two small programs in `go/pulumi` stand for them.
 */

const CLI_MODULE = join(import.meta.dirname, 'go', 'pulumi');
const KUBERNETES_MODULE = join(import.meta.dirname, 'go', 'kubernetes');
/** A package of both modules. */
const LIFETIME = join(CLI_MODULE, 'lifetime');
const KUBERNETES = 'github.com/pulumi/pulumi-kubernetes';
const SDK_VERSION = 'github.com/pulumi/pulumi/sdk/v3/go/common/version.Version';

/** Changes with everything that the build is made from. */
export async function buildKey(): Promise<string> {
  const files = [CLI_MODULE, KUBERNETES_MODULE].flatMap((folder) => [
    join(folder, 'go.mod'),
    join(folder, 'go.sum'),
  ]);
  const mains = [
    join(CLI_MODULE, 'nodejs', 'main.go'),
    join(CLI_MODULE, 'random', 'main.go'),
    join(LIFETIME, 'lifetime.go'),
    join(KUBERNETES_MODULE, 'main.go'),
    join(KUBERNETES_MODULE, 'kinds', 'kinds.go'),
  ];
  const contents = await Promise.all([...files, ...mains].map((file) => readFile(file)));
  return cacheKey(...contents, JSON.stringify([VERSIONS, GO_FLAGS]), process.arch);
}

/** The command while the modules of the others come; then what starts the cluster; the provider gets most from both. */
const PRIORITIES = { cli: 3, plugin: 1 } as const;

const linkerFlags = (...variables: readonly string[]) =>
  `-ldflags=-s -w ${variables.map((variable) => `-X ${variable}`).join(' ')}`;

async function build(
  packages: readonly (readonly [path: string, output: string, variable: string])[],
  directory: string,
  what: string,
  report: Report,
  signal: AbortSignal,
  priority: number,
): Promise<void> {
  const run = { directory, what, signal };
  const paths = packages.map(([path]) => path);
  const total = await countPackages([paths], { ...run, onLine: countingDownloads(what, report) });
  const onLine = countingProgress(what, total, report);
  for (const [path, output, variable] of packages) {
    await goBuild([linkerFlags(variable), '-o', output, path], { ...run, onLine }, priority);
  }
}

/** The command and the host of Node.js programs into `directory`. */
export async function buildCli(directory: string, report: Report, signal: AbortSignal): Promise<void> {
  const packages = [
    [
      'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
      join(directory, 'pulumi'),
      `${SDK_VERSION}=v${VERSIONS.engine}`,
    ],
    ['./nodejs', join(directory, 'pulumi-language-nodejs'), `main.version=${VERSIONS.engine}`],
  ] as const;
  await build(packages, CLI_MODULE, 'Pulumi', report, signal, PRIORITIES.cli);
}

/** One plugin into `directory`. */
export async function buildPlugin(
  name: PluginName,
  directory: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const output = join(directory, `pulumi-resource-${name}`);
  const variable = `main.version=${VERSIONS.plugins[name]}`;
  if (name === 'random')
    return build(
      [['./random', output, variable]],
      CLI_MODULE,
      'the random provider',
      report,
      signal,
      PRIORITIES.plugin,
    );
  const what = 'the Kubernetes provider';
  const folder = await mkdtemp(join(tmpdir(), 'pulumi-kubernetes-'));
  try {
    await prepareProvider(folder, { directory: folder, what, signal });
    await build([['.', output, variable]], folder, what, report, signal, PRIORITIES.plugin);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of the provider's Go SDK, which would be most of the build: what it needs without the kinds that it never uses. */
const SDK_PARTS = ['utilities', 'yaml/v2', 'helm/v4'];

/** A copy of the program's folder with the module's schema to embed, and a small SDK in the place of the whole one. */
async function prepareProvider(folder: string, run: GoRun): Promise<void> {
  for (const file of ['go.mod', 'go.sum', 'main.go']) {
    await copyFile(join(KUBERNETES_MODULE, file), join(folder, file));
  }
  await cp(LIFETIME, join(folder, 'lifetime'), { recursive: true });
  const sourceOf = async (module: string) =>
    (JSON.parse(await go(['mod', 'download', '-json', module], run)) as { Dir: string }).Dir;
  const [provider, sdk] = [
    await sourceOf(`${KUBERNETES}/provider/v4`),
    await sourceOf(`${KUBERNETES}/sdk/v4`),
  ];
  await copyFile(join(provider, 'cmd/pulumi-resource-kubernetes/schema.json'), join(folder, 'schema.json'));
  const parts = ['go.mod', ...SDK_PARTS.map((part) => `go/kubernetes/${part}`)];
  const files = (await readdir(join(sdk, 'go/kubernetes'), { withFileTypes: true })).filter((file) =>
    file.isFile(),
  );
  for (const part of [...parts, ...files.map(({ name }) => `go/kubernetes/${name}`)]) {
    await cp(join(sdk, part), join(folder, 'sdk', part), { recursive: true });
  }
  await execa('chmod', ['-R', 'u+w', folder]); // files of the module cache are read-only
  await copyFile(
    join(KUBERNETES_MODULE, 'kinds', 'kinds.go'),
    join(folder, 'sdk/go/kubernetes/yaml/v2/kinds.go'),
  );
  await go(['mod', 'edit', '-replace', `${KUBERNETES}/sdk/v4=./sdk`], run);
}
