import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { ensureEngine, openStack, type RunResult } from '../../automation/engine/index.ts';
import { NAMESPACE_RULES, RIGHTS_FOLDER, type Rule } from '../../components/rights.ts';
import { CLI, overridesFor, REMOVING, secretsFor } from '../../local/cli/instance.ts';
import { CLUSTER_STATE, ROOT } from '../../local/cli/machine.ts';
import { apply, kubectl } from '../../local/cli/target.ts';
import { cluster, emulator, target } from './world.ts';

/** Somebody who runs Pulumi as a service account with the rights of a file of docs/rbac, and nothing else. */

/** `group/resource verb` */
export type Right = string;

export const rightsOf = (rules: readonly Rule[] = NAMESPACE_RULES): Right[] =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
    ),
  );

export interface Deployer extends AsyncDisposable {
  readonly namespace: string;
  up(config?: Readonly<Record<string, string>>): Promise<RunResult>;
  destroy(config?: Readonly<Record<string, string>>): Promise<RunResult>;
  /** What it asked of the API server so far, and was allowed or refused. */
  asked(): Promise<{ readonly allowed: ReadonlySet<Right>; readonly refused: ReadonlySet<Right> }>;
}

const ACCOUNT = 'scipion-deployer';

/**
 * @param home namespace of the service account, made here
 * @param own settings of its stack over those of the demo instance
 */
export async function deployer(
  rightsFile: string,
  home: string,
  own: Readonly<Record<string, string>>,
): Promise<Deployer> {
  const { kubeconfigPath, httpsPort } = await cluster();
  const admin = await target();
  const text = await readFile(new URL(rightsFile, RIGHTS_FOLDER), 'utf8');
  await apply(admin, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: home } },
    ...parseAllDocuments(text.replaceAll('NAMESPACE', home)).map((document) => document.toJS() as object),
  ]);
  const token = await kubectl(admin, ['create', 'token', ACCOUNT, '--namespace', home, '--duration=2h']);
  const kubeconfig = JSON.parse(await readFile(kubeconfigPath, 'utf8'));
  kubeconfig.users[0].user = { token: token.trim() };

  const stateDirectory = await mkdtemp(join(tmpdir(), 'scipion-rights-'));
  const credentials = await (await emulator()).credentials();
  const demo = parse(await readFile(join(ROOT, 'stacks/Pulumi.demo.yaml'), 'utf8')) as {
    config: Record<string, unknown>;
  };
  const shared = Object.entries(demo.config).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const engine = await ensureEngine(() => {});
  const stackWith = (config: Readonly<Record<string, string>> = {}) =>
    openStack(engine, {
      program: ROOT,
      stack: home,
      stateDirectory,
      config: overridesFor(credentials, {
        ...Object.fromEntries(shared),
        'scipion:sourceSpaceId': credentials.sourceSpaceId,
        'scipion:projectSpaceId': credentials.projectSpaceId,
        'scipion:publicPort': String(httpsPort),
        'kubernetes:kubeconfig': JSON.stringify(kubeconfig),
        ...own,
        ...config,
      }),
      secrets: secretsFor(credentials),
      environment: { KUBECONFIG: join(stateDirectory, 'none') },
      cli: CLI,
    });
  return {
    namespace: own['scipion:namespace'] ?? home,
    up: (config) => stackWith(config).up(() => {}),
    destroy: (config) => stackWith(config).destroy(() => {}, { environment: REMOVING }),
    asked: () => askedBy(`system:serviceaccount:${home}:${ACCOUNT}`),
    [Symbol.asyncDispose]: async () => {
      await kubectl(admin, ['delete', 'namespace', home, '--ignore-not-found', '--timeout=120s']);
      for (const kind of ['clusterrole', 'clusterrolebinding'])
        await kubectl(admin, ['delete', kind, ACCOUNT, '--ignore-not-found']);
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** From the API server's own record. */
async function askedBy(username: string) {
  const [allowed, refused] = [new Set<Right>(), new Set<Right>()];
  const lines = (await readFile(join(CLUSTER_STATE, 'logs/audit.log'), 'utf8')).split('\n');
  for (const line of lines.filter((each) => each.includes(`"${username}"`))) {
    const { user, verb, objectRef, annotations } = JSON.parse(line) as AuditEvent;
    if (user.username !== username || objectRef === undefined) continue;
    const { apiGroup = '', resource, subresource } = objectRef;
    const right = `${apiGroup}/${resource}${subresource ? `/${subresource}` : ''} ${verb}`;
    (annotations?.['authorization.k8s.io/decision'] === 'allow' ? allowed : refused).add(right);
  }
  return { allowed, refused };
}
