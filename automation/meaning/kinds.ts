import type { ResourceChange } from './changes.ts';

/**
 * What a change of a field means, by the kind of its object. Of each kind the fields that cannot change in place are
 * said, and those that are known to change nothing for its user or what is said of them: whatever is in neither is not known.
 */

/** `fixed`: the object is made anew, or the API server refuses. `read`: its kind has a reader. */
export type FieldMeaning = 'fixed' | 'nothing' | 'read' | 'unknown';

type Rules = readonly (readonly [RegExp, FieldMeaning])[];

/** Of every object of Kubernetes, after those of its kind. */
const OBJECT: Rules = [
  [/^\.(apiVersion|kind|metadata\.(name|namespace))$/, 'fixed'],
  // These order the provider what to do; one only says for what it does not wait.
  [/^\.metadata\.annotations\.pulumi\.com\/(?!skipAwait$)/, 'unknown'],
  [/^\.metadata\.(labels|annotations)\./, 'nothing'],
];

const ADDRESS_ANNOTATIONS: Rules = [
  [/^\.metadata\.annotations\.(pulumi\.com\/skipAwait$|(?!pulumi\.com\/))/, 'read'],
];

/** @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/ and the validation of each kind */
const KINDS: Readonly<Record<string, Rules>> = {
  StatefulSet: [
    [/^\.spec\.(replicas|template|updateStrategy)\b/, 'read'],
    [/^\.spec\.(minReadySeconds|ordinals)\b/, 'nothing'],
    [/^\.spec\.persistentVolumeClaimRetentionPolicy\b/, 'unknown'],
    [/^\.spec\b/, 'fixed'],
  ],
  PersistentVolumeClaim: [
    [/^\.spec\.resources\.requests\.storage$/, 'read'],
    [/^\.spec\.volumeAttributesClassName$/, 'unknown'],
    [/^\.spec\b/, 'fixed'],
  ],
  Namespace: [[/^\.metadata\.labels\.pod-security\./, 'unknown']],
  Service: [[/^\.spec\.clusterIPs?\b/, 'fixed']],
  Secret: [
    [/^\.(stringData|data)\b/, 'read'],
    [/^\.(type|immutable)$/, 'fixed'],
  ],
  ConfigMap: [
    [/^\.data\b/, 'read'],
    [/^\.immutable$/, 'fixed'],
  ],
  Ingress: [...ADDRESS_ANNOTATIONS, [/^\.spec\.(ingressClassName|tls|rules\[\d+\]\.host$)/, 'read']],
  HTTPRoute: [...ADDRESS_ANNOTATIONS, [/^\.spec\.(parentRefs|hostnames)\b/, 'read']],
  NetworkPolicy: [[/^\.spec\.(egress|ingress|policyTypes)\b/, 'read']],
  ResourceQuota: [[/^\.spec\.hard\b/, 'read']],
  LimitRange: [[/^\.spec\.limits\b/, 'read']],
  Stash: [[/^\.input\b/, 'read']],
  RandomPassword: [[/^/, 'fixed']],
  RandomBytes: [[/^/, 'fixed']],
};

/** Of the jobs: what the broker may make, and what bounds it. Others of their kinds are not known. */
const OF_JOBS: Rules = [
  [/^\.roleRef\b/, 'fixed'],
  [/^\.(spec|template|rules|subjects)\b/, 'read'],
];
const KINDS_OF_JOBS = /^(PodTemplate|Role|RoleBinding|ValidatingAdmissionPolicy(Binding)?|ServiceAccount)$/;
export const isOfJobs = (change: ResourceChange): boolean =>
  KINDS_OF_JOBS.test(kindOf(change)) && objectName(change).startsWith('scipion-job');

export const kindOf = ({ type }: ResourceChange): string => type.split(':').at(-1) ?? '';

export function fieldMeaning(change: ResourceChange, path: string): FieldMeaning {
  const ofKind = isOfJobs(change) ? OF_JOBS : (KINDS[kindOf(change)] ?? []);
  const rules = [...ofKind, ...OBJECT];
  return rules.find(([expression]) => expression.test(path))?.[1] ?? 'unknown';
}

/** Kinds that may come and go without a word of their own, since what uses them changes too and says it. */
const COMES_ALONE = /^(Secret|ConfigMap|ServiceAccount|PersistentVolume(Claim)?|Random\w+|Stash)$/;
/** Kinds whose reader says what it means that they come or go. */
const READ_WHOLE = /^(Ingress|HTTPRoute|NetworkPolicy|ResourceQuota|LimitRange)$/;
const GOES_ALONE = /^Random\w+$/;

/** Of a resource that is made or goes. `removes`: with work of a user. */
export function wholeMeaning(change: ResourceChange, isUsedOtherwise: boolean): FieldMeaning | 'removes' {
  const kind = kindOf(change);
  if (READ_WHOLE.test(kind) || isOfJobs(change)) return 'read';
  if (change.before === undefined) return COMES_ALONE.test(kind) ? 'nothing' : 'unknown';
  if (GOES_ALONE.test(kind)) return 'nothing';
  // Tokens and claims that show a space hold nothing; the pod that no longer mounts them is another.
  if (kind === 'Secret' || (/^PersistentVolume/.test(kind) && isOfSpace(change)))
    return isUsedOtherwise ? 'nothing' : 'unknown';
  return /^(PersistentVolume(Claim)?|Namespace|StatefulSet)$/.test(kind) ? 'removes' : 'unknown';
}

const metadataName = (side: ResourceChange['before']) =>
  (side?.metadata as { readonly name?: unknown } | undefined)?.name;

export const objectName = ({ name = '', before, after }: ResourceChange): string =>
  String(metadataName(before) ?? metadataName(after) ?? name);

const isOfSpace = (change: ResourceChange) => objectName(change).endsWith('-space');

export function volumeWord(change: ResourceChange): string {
  const name = objectName(change);
  if (name.endsWith('project')) return 'project volume';
  return name.endsWith('source') ? 'source volume' : `volume ${name}`;
}
