import { expect, test } from 'vitest';
import { CLUSTER_RULES, NAMESPACE_RULES } from '../../components/rights.ts';
import { kubectl } from '../../local/cli/target.ts';
import { deployer, type Right, rightsOf } from './rights.ts';
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

/** What was used in both lives: a plain removal ends no pod, one that gives the work up does not drain. */
const used = new Set<Right>();
/** Asked in the namespace and refused there; the other file grants it. */
const wanted = new Set<Right>();

test('in one existing namespace, as its service account: up, up again, a change, drained and removed', async () => {
  await using somebody = await deployer('namespace-role.yaml', 'rights', {
    'scipion:createNamespace': 'false',
  });
  await somebody.up();
  expect(await objectsOf('rights')).toContain('pod/scipion-0');
  expect((await somebody.up()).changes).toEqual({});
  expect(Object.keys((await somebody.up({ 'scipion:memory': '4Gi' })).changes)).toEqual(['update']);
  await somebody.destroy();
  expect(await objectsOf('rights')).toBe('');
  expect(await kubeNamespaces()).toContain('rights');
  const { allowed, refused } = await somebody.asked();
  expect([...refused].filter((right) => !OPTIONAL.includes(right))).toEqual([]);
  expect(allowed).toContain('/pods/exec get');
  for (const right of allowed) used.add(right);
  for (const right of refused) wanted.add(right);
});

test('with a namespace of its own, as whoever may make namespaces: up and removed, its work given up', async () => {
  const own = { 'scipion:namespace': 'rights-own', 'scipion:discardUnsavedChanges': 'true' };
  await using somebody = await deployer('cluster-role.yaml', 'rights-home', own);
  await somebody.up();
  expect(await objectsOf('rights-own')).toContain('pod/scipion-0');
  await somebody.destroy();
  expect(await kubeNamespaces()).not.toContain('rights-own');
  const { allowed, refused } = await somebody.asked();
  expect([...refused]).toEqual([]);
  for (const right of allowed) used.add(right);
});

test('no right of either file was never used', () => {
  expect(unused(rightsOf(NAMESPACE_RULES), used)).toEqual([]);
  const asked = new Set([...used, ...wanted]);
  expect(unused(rightsOf(CLUSTER_RULES), asked).filter((right) => !VOLUMES.test(right))).toEqual([]);
});
