import { expect, test } from 'vitest';
import { CLUSTER_RULES, NAMESPACE_RULES } from '../../components/rights.ts';
import { kubectl } from '../../local/cli/target.ts';
import { type Deployer, deployer, type Right, rightsOf } from './rights.ts';
import { kubeNamespaces, target } from './world.ts';

/** The life of an instance with the rights that docs/rbac grants: enough for all of it, and none that is never used. */

/** Of a stack with `scipion:gateway`, which has no Ingress. */
const OTHER_VARIANTS = /^gateway\.networking\.k8s\.io\/httproutes /;
/** Of csi-onedata's volumes. A drain reads the volume behind a claim. */
const VOLUMES = /^\/persistentvolumes (?!get)/;
/** Only while something goes wrong, or when the API server is newer. */
const SOMETIMES: readonly Right[] = ['/pods/exec create'];
/** Asked in case they are granted; refused, they are done without. */
const OPTIONAL: readonly Right[] = ['/namespaces get', '/persistentvolumes get'];

/** An object that is applied and not there needs `create` beside `patch`, which the API server asks about without a record of its own. */
const isUsed = (right: Right, used: ReadonlySet<Right>) =>
  used.has(right) || (right.endsWith(' create') && used.has(right.replace(/ create$/, ' patch')));

const unused = (granted: readonly Right[], used: ReadonlySet<Right>) =>
  granted
    .filter((right) => !isUsed(right, used) && !OTHER_VARIANTS.test(right) && !SOMETIMES.includes(right))
    .toSorted();

const objectsOf = async (namespace: string) =>
  kubectl(await target(), [
    ...['get', 'statefulset,pod,pvc,secret,ingress,networkpolicy', '--namespace', namespace],
    ...['--selector', 'app.kubernetes.io/name=scipion', '--output', 'name'],
  ]);

/** What one user asked of the API server. */
interface Asked {
  readonly allowed: ReadonlySet<Right>;
  readonly refused: readonly Right[];
}

/**
 * All that an instance goes through: up, up again without a change, a change, a removal with its drain; then up and a
 * removal that gives the work up, which ends the pod and does not drain.
 */
async function wholeLife(somebody: Deployer): Promise<Asked> {
  await somebody.up();
  expect(await objectsOf(somebody.namespace)).toContain('pod/scipion-0');
  expect((await somebody.up()).changes).toEqual({});
  expect(Object.keys((await somebody.up({ 'scipion:memory': '4Gi' })).changes)).toEqual(['update']);
  await somebody.destroy();
  expect(await objectsOf(somebody.namespace)).toBe('');
  const drained = (await somebody.asked()).allowed;
  expect(drained).toContain('/pods/exec get');
  expect(drained).not.toContain('/pods delete');
  const discarding = { 'scipion:discardUnsavedChanges': 'true' };
  await somebody.up(discarding);
  await somebody.destroy(discarding);
  expect(await objectsOf(somebody.namespace)).toBe('');
  const { allowed, refused } = await somebody.asked();
  expect(allowed).toContain('/pods delete');
  return { allowed, refused: [...refused] };
}

test('in one existing namespace, as its service account: a whole life needs each right of the Role, and no other', async () => {
  await using somebody = await deployer('namespace-role.yaml', 'rights', {
    'scipion:createNamespace': 'false',
  });
  const { allowed, refused } = await wholeLife(somebody);
  expect(await kubeNamespaces()).toContain('rights');
  expect(refused.filter((right) => !OPTIONAL.includes(right))).toEqual([]);
  expect(unused(rightsOf(NAMESPACE_RULES), allowed)).toEqual([]);
});

test('with a namespace of its own, as whoever may make namespaces: a whole life needs each right of the ClusterRole, and no other', async () => {
  await using somebody = await deployer('cluster-role.yaml', 'rights-home', {
    'scipion:namespace': 'rights-own',
  });
  const { allowed, refused } = await wholeLife(somebody);
  expect(await kubeNamespaces()).not.toContain('rights-own');
  expect(refused).toEqual([]);
  const granted = rightsOf(CLUSTER_RULES).filter((right) => !VOLUMES.test(right));
  expect(unused(granted, allowed)).toEqual([]);
});

test('a right that nothing uses is found in either file', () => {
  const used = new Set(rightsOf(NAMESPACE_RULES).filter((right) => right !== '/services watch'));
  expect(unused(rightsOf(NAMESPACE_RULES), used)).toEqual(['/services watch']);
  expect(unused([...rightsOf(CLUSTER_RULES), '/nodes list'], new Set(rightsOf(CLUSTER_RULES)))).toEqual([
    '/nodes list',
  ]);
});
