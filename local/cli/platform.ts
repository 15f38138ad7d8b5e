import { homedir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { type Engine, ensureEngine } from '../../automation/engine/index.ts';
import type { EmulatorCredentials } from '../../emulators/onedata/remote.ts';
import { clusterAccess } from '../../stacks/cluster-access.ts';
import { ensurePackages } from '../apt.ts';
import { buildBinaries, type Cluster, startCluster } from '../cluster/index.ts';
import { clusterPackages } from '../cluster/packages.ts';
import { type BuiltImage, buildImages } from '../images/index.ts';
import { ensureEmulator } from './emulator.ts';
import { CLUSTER_STATE } from './machine.ts';
import type { Step } from './steps.ts';
import { kubectl, type Target } from './target.ts';

export interface PlatformOptions {
  /** Scipion versions whose desktop images are built. */
  readonly versions: readonly string[];
  readonly httpsPort?: number;
  /** Host names that the ingress needs a certificate for. */
  readonly hostNames: readonly string[];
}

/** What the steps find out for those after them; each is there once the step that makes it has ended. */
export interface Platform {
  engine?: Engine;
  cluster?: Cluster;
  target?: Target;
  /** What the instance's configuration must say of this platform, by full key. */
  overrides?: Readonly<Record<string, string>>;
  images?: readonly BuiltImage[];
  onedata?: EmulatorCredentials;
}

export const LOCAL_IMAGE_REPOSITORY = 'localhost/scipion';

/** Value of a platform that a step before this one has put there. */
export function made<T>(value: T | undefined, what: string): T {
  if (value === undefined)
    throw new Error(`${what} is not there yet: a step does not name what it runs after.`);
  return value;
}

export function targetOf(cluster: Cluster): Target {
  return { kubectl: cluster.kubectlPath, kubeconfig: cluster.kubeconfigPath };
}

/**
 * The embedded cluster with the project's images and the Onedata emulator, as steps that fill `platform`. Builds
 * overlap; each step finds out by itself whether there is anything to do.
 */
export function platformSteps(platform: Platform, options: PlatformOptions): Step[] {
  return [
    engineStep(platform),
    {
      id: 'packages',
      title: 'Install Debian packages',
      hint: 'Run as root on Debian 12 or a relative of it, with a reachable package mirror (apt-get update).',
      run: (report) => ensurePackages(clusterPackages, report),
    },
    {
      id: 'binaries',
      title: 'Build Kubernetes from its Go modules',
      after: ['packages'],
      hint: 'Go ≥ 1.26 must be on PATH and reach its module proxy (go env GOPROXY); about 6 GB of disk are needed.',
      run: async (report) => void (await buildBinaries(report)),
    },
    {
      id: 'images',
      title: 'Build the container images',
      after: ['packages'],
      hint: 'The Debian and Python package registries must be reachable; about 8 GB of disk are needed.',
      run: async (report) => {
        platform.images = await buildImages(
          { versions: [...options.versions], sidecar: true, onedata: true },
          report,
        );
      },
    },
    {
      id: 'cluster',
      title: 'Start the cluster',
      after: ['binaries'],
      hint: 'The logs are in .local/cluster/logs. `npm run local -- down` and then `npm run local` starts afresh.',
      run: async (report) => {
        const { httpsPort } = options;
        const ports = httpsPort === undefined ? {} : { httpsPort };
        platform.cluster = await startCluster({ stateDirectory: CLUSTER_STATE, ...ports }, report);
        await platform.cluster.ensureIngressCertificate(options.hostNames);
        platform.target = targetOf(platform.cluster);
        platform.overrides = { 'scipion:publicPort': String(platform.cluster.httpsPort) };
      },
    },
    {
      id: 'load',
      title: 'Load the images into the cluster',
      after: ['images', 'cluster'],
      run: async (report) => {
        const cluster = made(platform.cluster, 'The cluster');
        for (const { archive } of made(platform.images, 'The list of images')) {
          await cluster.importImage(archive, report);
        }
      },
    },
    onedataStep(platform, LOCAL_IMAGE_REPOSITORY, ['load']),
  ];
}

export interface OwnClusterOptions {
  /** Context of the user's kubeconfig. */
  readonly context: string;
  /** Where that cluster pulls the images `desktop`, `sidecar` and `onedata` from. */
  readonly imageRepository: string;
}

/** Pulumi: where it must be built, that is the longest build, so it begins first. */
function engineStep(platform: Platform): Step {
  return {
    id: 'engine',
    title: 'Get Pulumi',
    hint: 'A Pulumi CLI on PATH, the internet, or Go ≥ 1.26 with its module proxy (go env GOPROXY) is needed.',
    run: async (report) => {
      platform.engine = await ensureEngine(report);
    },
  };
}

/** A cluster of the user's own, with the emulator in it; images are expected in the repository. */
export function ownClusterSteps(platform: Platform, options: OwnClusterOptions): Step[] {
  return [
    engineStep(platform),
    {
      id: 'cluster',
      title: `Reach the cluster of context ${options.context}`,
      hint: 'See `kubectl config get-contexts`; the cluster must be Kubernetes ≥ 1.33.',
      run: async () => {
        const target = ownTarget(options.context);
        const version = ['version', '--output', 'json', `--request-timeout=${ANSWER_SECONDS}s`];
        const { serverVersion } = versionSchema.parse(JSON.parse(await kubectl(target, version)));
        const minor = Number.parseInt(serverVersion.minor, 10);
        if (Number(serverVersion.major) === 1 && minor < OLDEST_MINOR) {
          throw new Error(`The cluster is Kubernetes 1.${minor}; expected 1.${OLDEST_MINOR} or newer.`);
        }
        platform.target = target;
        platform.overrides = {
          'scipion:imageRepository': options.imageRepository,
          'scipion:imagePullPolicy': 'IfNotPresent',
        };
      },
    },
    onedataStep(platform, options.imageRepository, ['cluster']),
  ];
}

/** Native sidecars are stable from here on. */
const OLDEST_MINOR = 33;
/** A cluster that is there answers in less than one. */
const ANSWER_SECONDS = 15;
const versionSchema = z.object({ serverVersion: z.object({ major: z.string(), minor: z.string() }) });

/**
 * The user's own kubectl and kubeconfig.
 * @throws Error where the kubeconfig leads nowhere; kubectl would ask the terminal for a password, and wait
 */
export function ownTarget(context: string): Target {
  const { problem } = clusterAccess({ context });
  if (problem !== undefined) throw new Error(problem.message);
  return {
    kubectl: 'kubectl',
    kubeconfig: process.env.KUBECONFIG ?? join(homedir(), '.kube', 'config'),
    context,
  };
}

function onedataStep(platform: Platform, imageRepository: string, after: readonly string[]): Step {
  return {
    id: 'onedata',
    title: 'Start the Onedata emulator with sample data',
    after,
    hint: 'See `kubectl --namespace onedata describe pods` (on the embedded cluster with --kubeconfig .local/cluster/kubeconfig).',
    run: async (report) => {
      platform.onedata = await ensureEmulator(made(platform.target, 'The cluster'), imageRepository, report);
    },
  };
}
