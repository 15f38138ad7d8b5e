/** Judges whether an object of the cluster is ready, roughly as pulumi-kubernetes does. Pure. */
export type Readiness =
  | { readonly state: 'ready' }
  | { readonly state: 'waiting'; readonly why: string }
  | { readonly state: 'failed'; readonly why: string };

/** An object as the API server returns it. */
export type LiveObject = { readonly [key: string]: unknown };

const READY: Readiness = { state: 'ready' };

export interface ClusterFacts {
  /** A volume of this claim is bound only when a pod uses it (WaitForFirstConsumer). */
  readonly bindsLate: boolean;
}

/** Dots lead into maps; undefined where nothing is there. */
export function pick(object: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => {
    return typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined;
  }, object);
}

function count(object: LiveObject, path: string, absent = 0): number {
  const value = pick(object, path);
  return typeof value === 'number' ? value : absent;
}

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
}

function condition(object: LiveObject, type: string): Condition | undefined {
  const list = pick(object, 'status.conditions');
  return Array.isArray(list) ? (list as Condition[]).find((entry) => entry.type === type) : undefined;
}

function waitFor(isReady: boolean, why: string): Readiness {
  return isReady ? READY : { state: 'waiting', why };
}

/** The controller has seen the last change. */
function isObserved(object: LiveObject): boolean {
  return count(object, 'status.observedGeneration') >= count(object, 'metadata.generation');
}

const CHECKS: Readonly<Record<string, (object: LiveObject, facts: ClusterFacts) => Readiness>> = {
  Namespace: (object) =>
    waitFor(pick(object, 'status.phase') === 'Active', `phase is ${String(pick(object, 'status.phase'))}`),
  'apps/StatefulSet': statefulSet,
  'apps/Deployment': deployment,
  'apps/DaemonSet': (object) => {
    const wanted = count(object, 'status.desiredNumberScheduled');
    const ready = Math.min(
      count(object, 'status.numberReady'),
      count(object, 'status.updatedNumberScheduled'),
    );
    return waitFor(isObserved(object) && ready >= wanted, `${ready} of ${wanted} pods ready`);
  },
  'batch/Job': (object) => {
    const failed = condition(object, 'Failed');
    if (failed?.status === 'True') {
      return { state: 'failed', why: `${failed.reason ?? 'Failed'}: ${failed.message ?? ''}` };
    }
    return waitFor(condition(object, 'Complete')?.status === 'True', 'not complete');
  },
  Pod: (object) => {
    const phase = pick(object, 'status.phase');
    if (phase === 'Failed')
      return { state: 'failed', why: String(pick(object, 'status.message') ?? 'phase Failed') };
    return waitFor(
      phase === 'Succeeded' || condition(object, 'Ready')?.status === 'True',
      `phase is ${String(phase)}`,
    );
  },
  PersistentVolumeClaim: (object, facts) => {
    const phase = pick(object, 'status.phase');
    return waitFor(
      phase === 'Bound' || (facts.bindsLate && phase === 'Pending'),
      `phase is ${String(phase)}`,
    );
  },
  Service: (object) =>
    pick(object, 'spec.type') === 'LoadBalancer' ? hasAddress(object, 'no load balancer address') : READY,
  'networking.k8s.io/Ingress': (object) =>
    hasAddress(object, 'no address in .status.loadBalancer: no ingress controller has taken it up'),
  'apiextensions.k8s.io/CustomResourceDefinition': (object) =>
    waitFor(condition(object, 'Established')?.status === 'True', 'not established'),
};

function hasAddress(object: LiveObject, why: string): Readiness {
  const addresses = pick(object, 'status.loadBalancer.ingress');
  return waitFor(Array.isArray(addresses) && addresses.length > 0, why);
}

function statefulSet(object: LiveObject): Readiness {
  const wanted = count(object, 'spec.replicas', 1);
  const ready = count(object, 'status.readyReplicas');
  const updated = count(object, 'status.updatedReplicas');
  // With OnDelete running pods keep the old template until someone deletes them; that is not waited for.
  const rolls = pick(object, 'spec.updateStrategy.type') !== 'OnDelete';
  const partition = count(object, 'spec.updateStrategy.rollingUpdate.partition');
  if (!isObserved(object)) return { state: 'waiting', why: 'the change has not been taken up' };
  if (rolls && updated < wanted - partition) {
    return { state: 'waiting', why: `${updated} of ${wanted - partition} pods updated` };
  }
  return waitFor(ready >= wanted, `${ready} of ${wanted} pods ready`);
}

function deployment(object: LiveObject): Readiness {
  const wanted = count(object, 'spec.replicas', 1);
  const progressing = condition(object, 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { state: 'failed', why: progressing.message ?? progressing.reason };
  }
  const ready = Math.min(count(object, 'status.updatedReplicas'), count(object, 'status.availableReplicas'));
  const surplus = count(object, 'status.replicas') > count(object, 'status.updatedReplicas');
  return waitFor(isObserved(object) && ready >= wanted && !surplus, `${ready} of ${wanted} pods available`);
}

/** `group/Kind`; the kind alone in the core group. */
export function groupKind(object: LiveObject): string {
  const apiVersion = String(object.apiVersion ?? '');
  const group = apiVersion.includes('/') ? `${apiVersion.split('/')[0]}/` : '';
  return `${group}${String(object.kind)}`;
}

export function readiness(object: LiveObject, facts: ClusterFacts): Readiness {
  return CHECKS[groupKind(object)]?.(object, facts) ?? READY;
}

/** Kinds that are asked again until they are ready. */
export function isAwaited(object: LiveObject): boolean {
  return groupKind(object) in CHECKS;
}

/** Why pods are not ready: the waiting and failing reasons of their containers, init containers (sidecars) too. */
export function podProblems(pods: readonly LiveObject[]): string[] {
  return pods.flatMap((pod) => {
    const name = String(pick(pod, 'metadata.name'));
    const statuses = ['status.initContainerStatuses', 'status.containerStatuses'].flatMap((path) => {
      const list = pick(pod, path);
      return Array.isArray(list) ? (list as LiveObject[]) : [];
    });
    const scheduled = condition(pod, 'PodScheduled');
    const unscheduled =
      scheduled?.status === 'False' ? [`pod ${name}: ${scheduled.message ?? 'not scheduled'}`] : [];
    const waiting = statuses.flatMap((status) => {
      const reason = pick(status, 'state.waiting.reason');
      if (typeof reason !== 'string' || reason === 'PodInitializing' || reason === 'ContainerCreating')
        return [];
      const message = pick(status, 'state.waiting.message');
      return [
        `pod ${name}, container ${String(status.name)}: ${reason}${message ? `: ${String(message)}` : ''}`,
      ];
    });
    return [...unscheduled, ...waiting];
  });
}
