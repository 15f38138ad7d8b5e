import type { InstanceConfig } from '../../stacks/load.ts';

/** Labels and annotations that every object carries. */

const ANNOTATION_PREFIX = 'scipion-instances.org';
/** Stack that made a namespace, so that whoever comes second can be told. */
export const STACK_ANNOTATION = `${ANNOTATION_PREFIX}/stack`;
/** On the project's claim once a drain has succeeded: RFC 3339 time. */
export const DRAINED_ANNOTATION = `${ANNOTATION_PREFIX}/drained-at`;

/** The provider does not wait for the object. Never on what a removal must wait for: StatefulSet and Namespace. */
export const SKIP_AWAIT = { 'pulumi.com/skipAwait': 'true' } as const;

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

/** Select the pod by these; they never change, as a StatefulSet's selector cannot. */
export function selectorLabels(config: Pick<InstanceConfig, 'namespace'>): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'scipion',
    'app.kubernetes.io/instance': config.namespace,
    'app.kubernetes.io/component': 'desktop',
  };
}

/** Only the pod runs a version; as a label of the others each new one would change every object. */
export const versionLabel = ({ version }: Pick<InstanceConfig, 'version'>) => ({
  'app.kubernetes.io/version': version,
});

/** @param component the part of the instance an object belongs to, e.g. `network`. */
export function labels(config: Pick<InstanceConfig, 'namespace'>, component: string): Record<string, string> {
  return {
    ...selectorLabels(config),
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/part-of': 'scipion-instances',
    'app.kubernetes.io/managed-by': 'pulumi',
  };
}

/** Labels of the pods of jobs: none that finds the pod of the desktop finds one of these. */
export const jobLabels = (config: Pick<InstanceConfig, 'namespace'>): Record<string, string> => ({
  ...selectorLabels(config),
  'app.kubernetes.io/component': 'job',
});

/** Metadata of an object inside the namespace of the instance. */
export function metadata(
  config: Pick<InstanceConfig, 'namespace'>,
  name: string,
  component: string,
  annotations?: Record<string, string>,
): Metadata & { readonly namespace: string } {
  return {
    name,
    namespace: config.namespace,
    labels: labels(config, component),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}
