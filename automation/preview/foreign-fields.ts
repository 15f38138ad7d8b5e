import type { EnginePreview, Plain } from '../meaning/changes.ts';
import { isPlain } from '../meaning/changes.ts';

/**
 * What others set in the objects of an instance. A refresh compares the fields that the program sets: a rule that somebody
 * added to a list that it leaves alone is none of them. The API server remembers who set each field, and that is exact. Pure.
 */

export interface ManagedFields {
  readonly manager?: string;
  readonly subresource?: string;
  readonly fieldsV1?: object;
}

/** Pulumi's provider, under whatever name it had for the object. */
const OURS = /^pulumi\b/;
/** What Kubernetes itself fills in: the volume of a claim, the pods of a set. */
const KUBERNETES = /^(kube-(controller-manager|scheduler|apiserver)|kubelet|cloud-controller-manager)$/;
/** Labels and annotations are for everybody; the status is no wish. */
const NOT_WISHED = ['f:metadata', 'f:status', 'f:apiVersion', 'f:kind'];

export interface ForeignField {
  readonly manager: string;
  /** `spec.ports[{"port":80}].targetPort` */
  readonly path: string;
}

export function foreignFields(managed: readonly ManagedFields[]): ForeignField[] {
  const wished = managed.filter(({ subresource }) => subresource !== 'status');
  const [ours, others] = [
    wished.filter(({ manager = '' }) => OURS.test(manager)),
    wished.filter(({ manager = '' }) => !OURS.test(manager) && !KUBERNETES.test(manager)),
  ];
  const known = new Set(ours.flatMap(({ fieldsV1 }) => pathsOf(fieldsV1)));
  return others.flatMap(({ manager = 'somebody', fieldsV1 }) =>
    pathsOf(fieldsV1)
      .filter((path) => !known.has(path))
      .map((path) => ({ manager, path })),
  );
}

/** @see https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management */
function pathsOf(fields: object | undefined): string[] {
  const wished = Object.entries(fields ?? {}).filter(([key]) => !NOT_WISHED.includes(key));
  return wished.flatMap(([key, below]) => leavesOf(key, below, ''));
}

function leavesOf(key: string, below: unknown, above: string): string[] {
  const [sort, name] = [key.slice(0, 2), key.slice(2)];
  const path = sort === 'f:' ? `${above}${above === '' ? '' : '.'}${name}` : `${above}[${name}]`;
  const inner = Object.entries(isPlain(below) ? below : {}).filter(([part]) => part !== '.');
  return inner.length === 0 ? [path] : inner.flatMap(([part, deeper]) => leavesOf(part, deeper, path));
}

export interface ProgramObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** The objects that a stack has, by its preview. */
export function objectsOf({ steps = [] }: EnginePreview): ProgramObject[] {
  return steps.flatMap(({ urn, oldState }) => {
    if (!/[:$]kubernetes:/.test(urn)) return [];
    const { apiVersion, kind, metadata } = (oldState?.inputs ?? {}) as Plain;
    const { name, namespace } = (isPlain(metadata) ? metadata : {}) as { name?: string; namespace?: string };
    if (typeof apiVersion !== 'string' || typeof kind !== 'string' || name === undefined) return [];
    return [{ apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) }];
  });
}
