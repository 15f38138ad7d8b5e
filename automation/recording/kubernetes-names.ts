import { createHash } from 'node:crypto';
import { isProperties, type Properties, Secret, type Value } from './values.ts';

/** Whether the type is a Kubernetes object with an `apiVersion` and a `kind` (not a chart, a file, a provider). */
export function isKubernetesObject(type: string, inputs: Properties): boolean {
  return (
    type.startsWith('kubernetes:') && typeof inputs.apiVersion === 'string' && typeof inputs.kind === 'string'
  );
}

/** `metadata` of the inputs; empty where there is none. */
export function metadataOf(object: Properties): Properties {
  const metadata = object.metadata instanceof Secret ? object.metadata.value : object.metadata;
  return isProperties(metadata) ? metadata : {};
}

/**
 * The inputs with a name. Where the program gives none, `<resource name>-<8 hexadecimal digits>`; the provider draws
 * the digits, here they follow from `seed` (the URN, or the URN and a replacement's number), so that a retry finds
 * the same object.
 */
export function withName(inputs: Properties, name: string, seed: string): Properties {
  const metadata = metadataOf(inputs);
  if (metadata.name !== undefined || metadata.generateName !== undefined) return inputs;
  const digits = createHash('sha256').update(seed).digest('hex').slice(0, 8);
  return { ...inputs, metadata: { ...metadata, name: `${name.toLowerCase()}-${digits}` } };
}

/** The inputs with the content of a `Secret` object marked secret, as the provider does. */
export function withSecretData(inputs: Properties): Properties {
  if (inputs.kind !== 'Secret' || inputs.apiVersion !== 'v1') return inputs;
  const marked: Record<string, Value> = { ...inputs };
  for (const key of ['data', 'stringData']) {
    const value = marked[key];
    if (value !== undefined) marked[key] = value instanceof Secret ? value : new Secret(value);
  }
  return marked;
}

/** `<namespace>/<name>`, or the name alone without a namespace; the provider's form of an id. */
export function idOf(object: Properties): string {
  const { namespace, name } = metadataOf(object);
  return typeof namespace === 'string' ? `${namespace}/${String(name)}` : String(name);
}
