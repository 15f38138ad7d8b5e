import { expect, test } from 'vitest';
import { refuseTakenNamespace } from '../../components/claim-namespace.ts';
import type { Cluster } from '../../components/cluster.ts';
import { STACK_ANNOTATION } from '../../components/manifests/metadata.ts';

const clusterWith = (annotations: Record<string, string> | undefined) => () =>
  ({ namespace: async () => annotations && { metadata: { annotations } } }) as unknown as Cluster;

test.each([
  ['free', undefined],
  ['ours, from an interrupted run', { [STACK_ANNOTATION]: 'jane' }],
])('a name that is %s is taken', async (_what, annotations) => {
  await expect(refuseTakenNamespace('lab', 'jane', clusterWith(annotations))).resolves.toBeUndefined();
});

test.each([
  [{ [STACK_ANNOTATION]: 'joe' }, 'holds the instance of stack "joe"'],
  [{}, 'was not made by this program'],
])('a taken name is refused with its owner: %j', async (annotations, owner) => {
  await expect(refuseTakenNamespace('lab', 'jane', clusterWith(annotations))).rejects.toThrow(
    `Namespace lab exists already and ${owner}; one namespace holds one instance. Choose another one: pulumi config set scipion:namespace NAME --stack jane. `,
  );
});
