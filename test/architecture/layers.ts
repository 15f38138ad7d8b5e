import type { Import } from './sources.ts';

/** The arrows of the design: which folder may know which. */

interface Layer {
  readonly name: string;
  /** A file belongs to the first layer that holds it. */
  readonly holds: (file: string) => boolean;
  /** Layers it may import beside itself; `undefined`: any but tests and benchmarks. */
  readonly mayImport?: readonly string[];
  readonly because: string;
}

const under = (folder: string) => (file: string) => file.startsWith(`${folder}/`);

const isTest = (file: string) =>
  /^(test|bench)\//.test(file) || /^(sidecar|local|automation|emulators|console)\/(.*\/)?test\//.test(file);

export const LAYERS: readonly Layer[] = [
  { name: 'tests', holds: isTest, because: '' },
  {
    name: 'contract',
    holds: under('sidecar/contract'),
    mayImport: [],
    because: 'program and sidecar both stand on it',
  },
  {
    name: 'both commands',
    holds: (file) => /^sidecar\/(src\/[^/]+|package\.json)$/.test(file),
    mayImport: ['contract'],
    because: 'the image is built from sidecar/ alone; threads, clock and version concern neither command',
  },
  {
    name: 'spaces',
    holds: under('sidecar/src/spaces'),
    mayImport: ['contract', 'both commands'],
    because: 'what is somewhere else knows nothing of what is synchronised',
  },
  {
    name: 'sync',
    holds: under('sidecar/src/sync'),
    mayImport: ['contract', 'both commands', 'spaces'],
    because: 'the image is built from sidecar/ alone, and the commands share no more than the contract',
  },
  {
    name: 'front',
    holds: (file) => /^sidecar\/(src\/front|web\/shared)\//.test(file),
    mayImport: [],
    because: 'whatever serves pages stands on it, the gateway of an instance and the console alike',
  },
  {
    name: 'jobs',
    holds: under('sidecar/src/jobs'),
    mayImport: ['contract', 'both commands'],
    because: 'it alone has a token of the cluster, and shares no code with what strangers or spaces reach',
  },
  {
    name: 'gateway',
    holds: (file) => /^sidecar\/(src\/gateway|web)\//.test(file),
    mayImport: ['contract', 'both commands', 'front'],
    because: 'the image is built from sidecar/ alone, and the commands share no more than the contract',
  },
  {
    name: 'sidecar',
    holds: under('sidecar'),
    mayImport: ['contract', 'gateway', 'front'],
    because: 'the image is built from sidecar/ alone',
  },
  {
    name: 'stacks',
    holds: under('stacks'),
    mayImport: ['contract'],
    because: 'configuration comes before components',
  },
  {
    name: 'asking',
    holds: (file) => /^components\/(cluster-client|names|onedata-request|proxy)\.ts$/.test(file),
    mayImport: ['contract', 'stacks'],
    because: 'the hooks of the program and the fleet both ask the cluster and Onedata with it',
  },
  {
    name: 'components',
    holds: under('components'),
    mayImport: ['contract', 'stacks', 'asking'],
    because: 'components know configuration and contract, nothing of where they run',
  },
  {
    name: 'index',
    holds: (file) => file === 'index.ts',
    mayImport: ['components', 'stacks'],
    because: 'it only wires',
  },
  {
    name: 'tools',
    holds: under('automation/tools'),
    mayImport: [],
    because: 'where caches are, how Go builds and how progress is shown concerns no product',
  },
  {
    name: 'engine',
    holds: under('automation/engine'),
    mayImport: ['tools'],
    because: 'the engine deploys any program and knows nothing of Scipion',
  },
  {
    name: 'recording',
    holds: under('automation/recording'),
    mayImport: ['tools', 'beginning'],
    because: 'the recording engine runs any program and knows nothing of Scipion',
  },
  {
    name: 'meaning',
    holds: under('automation/meaning'),
    mayImport: ['stacks'],
    because: 'what a change means is said of any plan, whichever engine made it',
  },
  {
    name: 'fleet',
    holds: under('automation/fleet'),
    mayImport: ['contract', 'stacks', 'asking', 'engine', 'recording', 'tools'],
    because: 'it drives the program by its engine, as anybody may, and knows none of its callers',
  },
  {
    name: 'console image',
    holds: under('console/image'),
    mayImport: ['console', 'engine', 'sidecar', 'tools'],
    because: 'it packs the console with Node and the engine as they are found here',
  },
  {
    name: 'console',
    holds: under('console'),
    mayImport: ['contract', 'stacks', 'asking', 'engine', 'fleet', 'front', 'preview', 'rollout', 'tools'],
    because:
      'every action of it is one of the fleet, its comparison with the cluster that of a rollout, and no instance needs it',
  },
  {
    name: 'site',
    holds: under('site'),
    mayImport: ['stacks', 'components', 'asking', 'console'],
    because: 'it makes what a cluster needs once, with the rules and the parts of an instance',
  },
  {
    name: 'rollout',
    holds: (file) => /^automation\/preview\/(deploy|live-objects)\.ts$/.test(file),
    mayImport: ['stacks', 'asking', 'meaning', 'recording', 'tools', 'preview'],
    because: 'what runs after a merge may ask the cluster; previews of a change may not',
  },
  {
    name: 'preview',
    holds: under('automation/preview'),
    mayImport: ['stacks', 'meaning', 'recording', 'tools'],
    because: 'the program is recorded, not imported',
  },
  {
    name: 'emulator',
    holds: under('emulators'),
    mayImport: [],
    because: 'it stands for Onedata before any client, and knows none',
  },
  {
    name: 'local',
    holds: under('local'),
    mayImport: [
      'contract',
      'stacks',
      'asking',
      'engine',
      'console',
      'fleet',
      'front',
      'meaning',
      'recording',
      'sidecar',
      'emulator',
      'tools',
    ],
    because: 'the program is run by an engine, not imported',
  },
  {
    name: 'policy',
    holds: under('policy'),
    mayImport: [],
    because: 'the rules hold the program, so they are said without its code',
  },
  { name: 'desktop', holds: under('desktop'), mayImport: [], because: 'it is an image of its own' },
  {
    name: 'beginning',
    holds: (file) => /^(node-version\.mjs|package\.json|\.ci\/[^/]+)$/.test(file),
    mayImport: [],
    because: 'it runs before anything is installed',
  },
  {
    name: 'test runs',
    holds: (file) => file === 'vitest.config.ts',
    mayImport: [],
    because: 'it says which tests there are, and every test begins with it',
  },
];

export const layerOf = (file: string): Layer | undefined => LAYERS.find(({ holds }) => holds(file));

const SYNC = 'sidecar/src/sync/';
/** Folders of the sync engine, each standing on those before it. Files beside them stand below the first. */
export const SYNC_FOLDERS = ['state', 'volume', 'plan', 'save', 'restore', 'service'] as const;
/** It puts the parts together: it may know all of them, and none of them it. */
const SYNC_TOP = `${SYNC}main.ts`;

function syncFloor(path: string): number {
  if (path === SYNC_TOP) return SYNC_FOLDERS.length;
  return SYNC_FOLDERS.findIndex((folder) => path.startsWith(`${SYNC}${folder}/`));
}

function syncOffence(file: string, target: string): string | undefined {
  if (!file.startsWith(SYNC) || !target.startsWith(SYNC) || syncFloor(target) <= syncFloor(file))
    return undefined;
  return `${file} imports ${target}: ${SYNC_FOLDERS.join(' <- ')} <- main.ts`;
}

/** How a new folder gets its place. */
export const IN_NO_LAYER = 'is in no layer: name its folder in LAYERS, with what it may import and why';

/** A sentence for an import against the arrows. */
export function arrowOffence({ file, target }: Import): string | undefined {
  const from = layerOf(file);
  if (from === undefined) return `${file} ${IN_NO_LAYER}`;
  if (target === undefined || from.name === 'tests') return undefined;
  const to = layerOf(target);
  if (to === undefined) return `${file} imports ${target}, which ${IN_NO_LAYER}`;
  if (from === to) return syncOffence(file, target);
  if (to?.name === 'tests') return `${file} imports ${target}: nothing imports tests or benchmarks`;
  const isAllowed = from.mayImport === undefined || from.mayImport.includes(to.name);
  return isAllowed ? undefined : `${file} imports ${target}: ${from.because}`;
}

interface PackageRule {
  readonly packages: RegExp;
  readonly isAllowed: (file: string) => boolean;
  readonly because: string;
}

const PACKAGE_RULES: readonly PackageRule[] = [
  {
    packages: /^@pulumi\//,
    isAllowed: (file) =>
      /^((components|site)\/(?!manifests\/)|stacks\/load\.ts$|index\.ts$|automation\/|policy\/pack\.ts$)/.test(
        file,
      ),
    because:
      'only components, the loader of the configuration, the engines and the policy pack speak to Pulumi',
  },
  {
    packages: /^(node:|@kubernetes\/)/,
    isAllowed: (file) =>
      !/^(components\/manifests\/|stacks\/(schema|fields|units|problems|versions)\.ts$)/.test(file),
    because: 'manifests and schema are pure functions',
  },
];

/** A sentence for a package that a file of this folder must not use. */
export function packageOffence({ file, specifier, target }: Import): string | undefined {
  if (target !== undefined || layerOf(file)?.name === 'tests') return undefined;
  const broken = PACKAGE_RULES.find(
    ({ packages, isAllowed }) => packages.test(specifier) && !isAllowed(file),
  );
  return broken && `${file} imports ${specifier}: ${broken.because}`;
}
