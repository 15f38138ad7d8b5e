import pLimit from 'p-limit';
import { openObjectReader } from '../../components/cluster-client.ts';
import { EngineError } from '../recording/protocol.ts';
import type { ReadForeign } from './drift.ts';
import { foreignFields, type ManagedFields, objectsOf } from './foreign-fields.ts';
import { loadStack } from './stack-preview.ts';

/** What others have set in the objects of a stack, by who owns their fields. */
const AT_ONCE = 4;

/** @param directory folder of Pulumi.yaml */
export const foreignIn =
  (directory: string): ReadForeign =>
  async (stack, preview) => {
    const objects = objectsOf(preview);
    if (objects.length === 0) return [];
    const { config, secretKeys } = await loadStack(directory, stack);
    if (secretKeys.includes('kubernetes:kubeconfig'))
      throw new EngineError(
        `what others set in the objects of ${stack} was not read: its kubernetes:kubeconfig is a secret. Expected: a path, or KUBECONFIG in the environment.`,
      );
    const read = openObjectReader({
      kubeconfig: config['kubernetes:kubeconfig'],
      context: config['kubernetes:context'],
    });
    const found = await pLimit(AT_ONCE).map(objects, async (reference) => {
      const object = await read(reference);
      const managed = (object?.metadata?.managedFields ?? []) as readonly ManagedFields[];
      const byManager = Map.groupBy(foreignFields(managed), ({ manager }) => manager);
      return [...byManager].map(
        ([manager, fields]) =>
          `${reference.kind} ${reference.name}: ${manager} set ${fields.map(({ path }) => path).join(', ')}`,
      );
    });
    return found.flat();
  };
