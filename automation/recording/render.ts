import { stringify } from 'yaml';
import { isKubernetesObject, metadataOf, withSecretData } from './kubernetes-names.ts';
import { type Registration, type RunOptions, runProgram } from './record.ts';
import { mask, type Value } from './values.ts';

export interface Rendered {
  readonly ok: boolean;
  /** All Kubernetes objects as YAML documents, ordered by kind, namespace and name; keys sorted. */
  readonly yaml: string;
  readonly errors: readonly string[];
}

/**
 * The Kubernetes objects that a stack would have, without a cluster. Secrets read `<secret>`, values that only a real
 * run can tell `<unknown>`; so two renderings of one program are the same text.
 */
export async function render(options: Omit<RunOptions, 'dryRun'>): Promise<Rendered> {
  const run = await runProgram({ ...options, dryRun: true });
  return { ok: run.ok, yaml: manifests(run.registrations), errors: run.errors };
}

/** YAML of the Kubernetes objects among the registrations; what older readers take for a boolean (`yes`) is quoted. */
export function manifests(registrations: readonly Registration[]): string {
  const objects = registrations
    .filter((registration) => isKubernetesObject(registration.type, registration.inputs))
    .map((registration) => withSecretData(registration.outputs));
  const key = (object: { readonly [key: string]: Value }) => {
    const { namespace, name } = metadataOf(object);
    return [object.kind, object.apiVersion, namespace ?? '', name]
      .map((part) => String(mask(part ?? null)))
      .join('\n');
  };
  return objects
    .toSorted((left, right) => key(left).localeCompare(key(right), 'en'))
    .map((object) => stringify(mask(object), { sortMapEntries: true, lineWidth: 0, compat: 'yaml-1.1' }))
    .join('---\n');
}
