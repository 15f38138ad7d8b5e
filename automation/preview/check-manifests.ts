#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ConfigValue,
  ProgramWorkers,
  type Registration,
  reveal,
  runProgram,
} from '../recording/index.ts';
import { goTool } from './go-tools.ts';
import { manifestSchemas } from './manifest-schemas.ts';

/** Checks the objects of every variant of a stack: their form with kubeconform, good practice with kube-score. */

const KUBE_SCORE = {
  name: 'kube-score',
  version: 'v1.20.0',
  source: 'github.com/zegl/kube-score/cmd/kube-score',
};
const KUBECONFORM = {
  name: 'kubeconform',
  version: 'v0.8.0',
  source: 'github.com/yannh/kubeconform/cmd/kubeconform',
};
/** What the documentation asks of a cluster. */
const KUBERNETES = 'v1.33';

type Variant = Readonly<Record<string, ConfigValue>>;

/** Together they make every kind of object and every part of the pod. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  usual: {},
  gateway: { gateway: 'networking/public', tlsIssuer: '' },
  'an existing namespace': { createNamespace: false, onedataSecret: 'tokens', imagePullSecret: 'registry' },
  'csi-onedata': { sourceMount: 'csi-onedata', projectMount: 'csi-onedata' },
  'claims that show the spaces': {
    createNamespace: false,
    sourceMount: 'claim/source',
    projectMount: 'claim/project',
  },
  'a paused instance without isolation': { paused: true, networkIsolation: false, waitForIngress: true },
  'all that a site can say': {
    nodeSelector: '{"example.org/desktops":"true"}',
    tolerations: '[{"key":"example.org/desktops","operator":"Exists","effect":"NoSchedule"}]',
    affinity: '{"podAntiAffinity":{}}',
    priorityClass: 'desktops',
    runtimeClass: 'nvidia',
    userNamespace: true,
    volumeAccess: 'ReadWriteOncePod',
    extraResources: '{"nvidia.com/gpu":"1"}',
    desktopEnvironment: '{"OMP_NUM_THREADS":"4"}',
    extraVolumes: '[{"name":"references","mountPath":"/mnt/references","claim":"references"}]',
    httpProxy: 'http://proxy.example.org:3128',
    storageClass: 'csi-rbd',
    onedataNetworks: '["192.0.2.0/24"]',
    metricsNamespaces: '["monitoring"]',
    ingressNamespaces: '["ingress-nginx"]',
    signInIssuer: 'https://login.example.org',
    signInClientId: 'scipion',
    signInGroups: '["cryo-em"]',
    signInNetworks: '["192.0.2.0/24"]',
    passwordLogin: false,
  },
  jobs: { jobs: true, apiServerNetworks: '["192.0.2.1/32"]' },
};

const USER: Variant = {
  onedataHost: 'provider.example.org',
  sourceSpaceId: 'source',
  projectSpaceId: 'project',
};
const TOKENS = { sourceToken: 'placeholder-sourceToken', projectToken: 'placeholder-projectToken' };

/** Variant → its objects, a document each, and those of a site. The secrets in them are made up. */
export async function variantManifests(directory: string): Promise<Map<string, string>> {
  const recorded = await recordVariants(directory);
  const documents = (objects: readonly Registration[]) =>
    // JSON, since these checkers read YAML 1.1, where `yes` is no text.
    objects.map(({ inputs }) => JSON.stringify(reveal(inputs))).join('\n---\n');
  return new Map(
    [...recorded, ['a site', await recordSite(directory)] as const].map(([name, objects]) => [
      name,
      documents(objects),
    ]),
  );
}

/** What the program of a site is told in checks and tests. */
export const SITE = {
  config: {
    host: 'console.example.org',
    image: `registry.example.org/scipion/console@sha256:${'a'.repeat(64)}`,
    console: JSON.stringify({
      signIn: { kind: 'openid', issuer: 'https://id.example.org', clientId: 'scipion-console' },
      operatorGroups: ['operators'],
      webhook: { url: 'https://mail.example.org/hook' },
    }),
    instances: JSON.stringify({
      domain: 'desktops.example.org',
      imageRepository: 'registry.example.org/scipion',
    }),
    apiServerNetworks: '["192.0.2.1/32"]',
    ingressClass: 'nginx',
    tlsIssuer: 'letsencrypt-prod',
  },
  secretConfig: {
    passphrase: 'placeholder-passphrase',
    signInClientSecret: 'placeholder-client-secret',
    webhookToken: 'placeholder-webhook-token',
  },
} as const;

async function recordSite(directory: string): Promise<readonly Registration[]> {
  const run = await runProgram({
    directory: join(directory, 'site'),
    stack: 'production',
    stackFile: false,
    ...SITE,
  });
  if (run.errors.length > 0) throw new Error(`The site cannot be made:\n${run.errors.join('\n')}`);
  return run.registrations.filter(({ type }) => type.startsWith('kubernetes:'));
}

/** Variant → its Kubernetes objects as the program registers them. */
export async function recordVariants(directory: string): Promise<Map<string, readonly Registration[]>> {
  await using workers = new ProgramWorkers();
  const recorded = new Map<string, readonly Registration[]>();
  for (const [name, own] of Object.entries(VARIANTS)) {
    const isElsewhere = own.onedataSecret !== undefined || String(own.sourceMount ?? '').startsWith('claim/');
    const prefixed = (values: Variant) =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [`scipion:${key}`, value]));
    const run = await runProgram({
      directory,
      stack: 'jane',
      stackFile: false,
      config: prefixed({ ...USER, ...own }),
      secretConfig: isElsewhere ? {} : prefixed(TOKENS),
      workers,
    });
    if (run.errors.length > 0)
      throw new Error(`The variant "${name}" cannot be made:\n${run.errors.join('\n')}`);
    recorded.set(
      name,
      run.registrations.filter(({ type }) => type.startsWith('kubernetes:')),
    );
  }
  return recorded;
}

/** A line for each finding, critical ones of kube-score only; empty: none. */
export async function checkManifests(documents: string): Promise<string[]> {
  const kinds = [...new Set([...documents.matchAll(/^\{.*?"kind":"(\w+)"/gm)].map(([, kind = '']) => kind))];
  const schemas = await manifestSchemas(ALL_KINDS);
  const unknown = kinds
    .filter((kind) => !ALL_KINDS.includes(kind))
    .map((kind) => `${kind}: a kind without a schema`);
  const location = `${schemas}/{{ .ResourceKind }}{{ .KindSuffix }}.json`;
  const form = run(
    await goTool(KUBECONFORM),
    ['-strict', '-output', 'text', '-schema-location', location, '-'],
    documents,
  )
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.replace(/ validation failed with 'file:[^']*'/, ''));
  // The other checker cannot read what has a wrong form.
  if (form.length > 0 || unknown.length > 0) return [...unknown, ...form];
  const score = run(
    await goTool(KUBE_SCORE),
    ['score', '--output-format', 'ci', '--kubernetes-version', KUBERNETES, '-'],
    documents,
  );
  return score.split('\n').filter((line) => line.startsWith('[CRITICAL]'));
}

/** Of the objects of a stack and a site. */
const ALL_KINDS = [
  ...['ClusterRole', 'ClusterRoleBinding', 'Deployment'],
  ...['ConfigMap', 'HTTPRoute', 'Ingress', 'LimitRange', 'Namespace', 'NetworkPolicy', 'PersistentVolume'],
  ...[
    'PersistentVolumeClaim',
    'PodDisruptionBudget',
    'PodTemplate',
    'ResourceQuota',
    'Role',
    'RoleBinding',
    'Secret',
    'Service',
    'ServiceAccount',
    'StatefulSet',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
  ],
];

/** Both end with 1 where they find something. @throws Error where the program did not run at all */
function run(command: string, args: readonly string[], input: string): string {
  const result = spawnSync(command, args, { input, encoding: 'utf8' });
  if (result.error) throw result.error;
  if (result.stdout.trim() === '' && result.status !== 0)
    throw new Error(`${command} failed: ${result.stderr.trim()}`);
  return result.stdout;
}

if (import.meta.main) {
  try {
    const rendered = await variantManifests(fileURLToPath(new URL('../../', import.meta.url)));
    let found = 0;
    for (const [name, documents] of rendered) {
      for (const line of await checkManifests(documents)) {
        found++;
        process.stdout.write(`${name}: ${line}\n`);
      }
    }
    process.stdout.write(
      `${rendered.size - 1} variants of a stack, and a site: ${found === 0 ? 'no problem' : 'problems above'}\n`,
    );
    if (found > 0) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`The manifests were not checked: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
