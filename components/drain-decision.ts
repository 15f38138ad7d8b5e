import type {
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1Pod,
  V1StatefulSet,
} from '@kubernetes/client-node';
import { EXIT_CODES } from '../sidecar/contract/exit-codes.ts';
import { DRAINED_ANNOTATION } from './manifests/metadata.ts';
import { CONTAINERS, NAMES } from './names.ts';

/** What a removal must do before it may delete anything. Pure: a table of states, so that every case is tested. */

export interface InstanceState {
  readonly statefulSet: V1StatefulSet | undefined;
  readonly pod: V1Pod | undefined;
  readonly claim: V1PersistentVolumeClaim | undefined;
  /** The volume behind the claim, where it may be read. */
  readonly volume: V1PersistentVolume | undefined;
}

export type DrainDecision =
  /** `sync` runs: tell it to save and stay closed. */
  | { readonly kind: 'drain' }
  /** There cannot be unsaved work; the reason completes a sentence. */
  | { readonly kind: 'nothing-to-save'; readonly reason: string }
  /** The instance is paused: start it, so that `sync` can say what is on the volume. */
  | { readonly kind: 'start' }
  /** The pod is on its way; look again. */
  | { readonly kind: 'wait'; readonly reason: string }
  /** Nothing can be proven and nothing will change without help. */
  | { readonly kind: 'refuse'; readonly reason: string };

export function isSyncRunning(pod: V1Pod): boolean {
  const status = pod.status?.initContainerStatuses?.find(({ name }) => name === CONTAINERS.sync);
  return status?.state?.running !== undefined;
}

function hasAnyContainerRun(pod: V1Pod): boolean {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return all.some(({ state, lastState, restartCount }) => {
    return Boolean(state?.running ?? state?.terminated ?? lastState?.terminated) || restartCount > 0;
  });
}

/** A volume that was made for this pod held nothing before it. */
function isVolumeYoungerThan(pod: V1Pod, volume: V1PersistentVolume | undefined): boolean {
  const made = volume?.metadata?.creationTimestamp;
  const started = pod.metadata?.creationTimestamp;
  return made !== undefined && started !== undefined && new Date(made) >= new Date(started);
}

function waitingReason(pod: V1Pod): string {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const waiting = statuses.find(({ state }) => state?.waiting?.reason !== undefined);
  const condition = pod.status?.conditions?.find(({ status, message }) => status === 'False' && message);
  if (waiting) return `container ${waiting.name} waits: ${waiting.state?.waiting?.reason}`;
  return condition?.message ?? `the pod is ${pod.status?.phase ?? 'in an unknown phase'}`;
}

/** Longer than this after a drain, the instance may have been opened again and worked in. */
const DRAIN_TRUSTED_MINUTES = 60;

function isFresh(drainedAt: string, now: Date): boolean {
  return now.getTime() - new Date(drainedAt).getTime() <= DRAIN_TRUSTED_MINUTES * 60_000;
}

function withoutPod({ statefulSet, claim }: InstanceState, now: Date): DrainDecision {
  const drainedAt = claim?.metadata?.annotations?.[DRAINED_ANNOTATION];
  if (statefulSet === undefined || statefulSet.metadata?.deletionTimestamp !== undefined) {
    if (drainedAt !== undefined && isFresh(drainedAt, now)) {
      return { kind: 'nothing-to-save', reason: `it was all saved at ${drainedAt}, before the pod ended` };
    }
    const gone = `StatefulSet ${NAMES.statefulSet} is gone, so nothing can read the project volume`;
    const since = `; its last full save was at ${drainedAt}, and it may have been worked in since`;
    return { kind: 'refuse', reason: drainedAt === undefined ? gone : `${gone}${since}` };
  }
  if ((statefulSet.spec?.replicas ?? 1) === 0) return { kind: 'start' };
  return { kind: 'wait', reason: `pod ${NAMES.pod} is not there yet` };
}

export function decideDrain(state: InstanceState, now = new Date()): DrainDecision {
  const { claim, pod, volume } = state;
  // Whatever became of the claim: what sync has mounted it can save.
  if (pod !== undefined && isSyncRunning(pod)) return { kind: 'drain' };
  if (claim === undefined) return { kind: 'nothing-to-save', reason: 'it has no project volume' };
  if (claim.status?.phase === 'Lost') {
    return {
      kind: 'refuse',
      reason: `the volume behind claim ${NAMES.projectVolume} is lost and sync does not run, so nothing can read it`,
    };
  }
  if (claim.status?.phase !== 'Bound') {
    return {
      kind: 'nothing-to-save',
      reason: 'its project volume was never given out, so nothing was ever written',
    };
  }
  if (pod === undefined) return withoutPod(state, now);
  if (!hasAnyContainerRun(pod) && isVolumeYoungerThan(pod, volume)) {
    return { kind: 'nothing-to-save', reason: 'none of its containers ever ran on this volume' };
  }
  return { kind: 'wait', reason: waitingReason(pod) };
}

const MEANINGS: Readonly<Record<number, string>> = {
  [EXIT_CODES.failed]: 'the final save failed',
  [EXIT_CODES.usage]: 'the sidecar image does not know this command',
  [EXIT_CODES.partial]: 'some files could not be saved',
  [EXIT_CODES.spaceMissing]: 'the project space was not found',
  [EXIT_CODES.leaseHeld]: 'another instance holds the project space',
  [EXIT_CODES.notPermitted]: 'Onedata does not accept the token',
  [EXIT_CODES.guarded]: 'a guard stopped the save, e.g. because too many files would be deleted in the space',
  [EXIT_CODES.unreachable]: 'sync does not answer',
  [EXIT_CODES.damaged]: 'the project space holds something otherwise than it was saved',
};

/** What an exit code of `sync drain` means, to complete a sentence. */
export const exitMeaning = (code: number): string => MEANINGS[code] ?? 'an unknown failure';
