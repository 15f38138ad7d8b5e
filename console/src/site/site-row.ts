import type { InstanceSummary } from '../../../automation/fleet/index.ts';
import type { DriftView, InstanceView, SiteRow } from '../view-types.ts';

/** How Kubernetes says that there is no room or quota for a pod. */
const NO_ROOM = /exceeded quota|insufficient|unschedulable|FailedScheduling|didn't match/i;

/** One line of the operators' table: what is known now, without asking anybody. Pure. */
export function siteRow(
  view: InstanceView,
  summary: InstanceSummary | undefined,
  drift: DriftView | undefined,
): SiteRow {
  const {
    cpuTime,
    name,
    owner,
    state,
    version,
    operation,
    sync,
    rule,
    expiresAt,
    isPaused,
    warnings,
    reason,
  } = view;
  const volumes = Object.values(sync?.volumes ?? {});
  const idle = sync?.activity?.idleSeconds;
  const waits = state === 'starting' ? (warnings.at(-1) ?? reason) : undefined;
  return {
    ...{ name, state, isPaused },
    ...(owner === undefined ? {} : { owner }),
    ...(version === undefined ? {} : { version }),
    ...(operation === undefined ? {} : { operation: operation.kind }),
    ...(summary?.live?.createdAt === undefined ? {} : { createdAt: summary.live.createdAt }),
    ...(idle === undefined || idle === null ? {} : { idleSeconds: idle }),
    ...(volumes.length === 0
      ? {}
      : { usedBytes: volumes.reduce((sum, { totalBytes, freeBytes }) => sum + totalBytes - freeBytes, 0) }),
    ...(summary?.size === undefined ? {} : { storageBytes: summary.size.storageBytes }),
    ...(cpuTime === undefined ? {} : { cpuHours: cpuTime.hours }),
    problems: sync?.problems.length ?? 0,
    ...(waits === undefined ? {} : { waits, isNoRoom: NO_ROOM.test(waits) }),
    ...(rule === undefined ? {} : { rule }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(drift === undefined ? {} : { drift }),
  };
}
