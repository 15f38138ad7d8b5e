import { expect, test } from 'vitest';
import { refuseTakenNamespace } from '../../components/claim-namespace.ts';
import type { Cluster } from '../../components/cluster.ts';

const clusterWith = (labels: Record<string, string> | undefined) => () =>
  ({ namespace: async () => labels && { metadata: { labels } } }) as unknown as Cluster;

test('a free name is taken', async () => {
  await expect(refuseTakenNamespace('jane', clusterWith(undefined))).resolves.toBeUndefined();
});

test.each([
  [{ 'app.kubernetes.io/part-of': 'scipion-instances' }, 'it holds the instance of another stack'],
  [{}, 'it was not made by this stack'],
])('a taken name is refused with its owner: %j', async (labels, owner) => {
  await expect(refuseTakenNamespace('jane', clusterWith(labels))).rejects.toThrow(
    `Namespace jane exists already and ${owner}; one namespace holds one instance. Choose another one: pulumi config set scipion:namespace NAME. `,
  );
});
