import type { FoundRecord, InstanceSummary, LiveState } from '../../automation/fleet/index.ts';
import type { Activity } from '../../sidecar/contract/activity.ts';
import type { SyncStatus } from '../../sidecar/contract/status.ts';
import { takenBy } from './limits.ts';
import type {
  CpuTime,
  InstanceState,
  InstanceView,
  OperationView,
  RuleView,
  SyncView,
} from './view-types.ts';

/** What the pages show of an instance. No secret is in it. Pure. */

export interface ViewOf {
  readonly summary: InstanceSummary;
  readonly detail: LiveState | undefined;
  readonly operation: FoundRecord | undefined;
  readonly isHere: boolean;
  readonly isOwn: boolean;
  readonly mayExtend: boolean;
  readonly rule: RuleView | undefined;
  readonly cpuTime: CpuTime | undefined;
}

export function viewOf({
  summary,
  detail,
  operation,
  isHere,
  isOwn,
  mayExtend,
  rule,
  cpuTime,
}: ViewOf): InstanceView {
  const { name, owner, version, url, isPaused, lastUpdate, live, expiresAt } = summary;
  const state = stateOf(summary, operation);
  const known = state === 'starting' || state === 'running' || state === 'working' ? detail : undefined;
  const reason = summary.problem ?? live?.reason;
  return {
    name,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(owner === undefined ? {} : { owner }),
    isOwn,
    ...(version === undefined ? {} : { version }),
    ...(url === undefined ? {} : { url }),
    isPaused: isPaused === true,
    ...(summary.size === undefined ? {} : { takes: takesOf(summary) }),
    ...(lastUpdate === undefined ? {} : { changedAt: lastUpdate }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    mayExtend,
    ...(cpuTime === undefined ? {} : { cpuTime }),
    ...(rule === undefined ? {} : { rule }),
    ...(operation === undefined ? {} : { operation: operationView(operation, isHere) }),
    ...(known?.sync === undefined ? {} : { sync: syncView(known.sync) }),
    warnings: known?.warnings ?? [],
  };
}

function stateOf(
  { problem, lastUpdate, live }: InstanceSummary,
  operation: FoundRecord | undefined,
): InstanceState {
  if (operation?.state === 'running') return 'working';
  if (operation !== undefined) return operation.state;
  if (problem !== undefined) return 'settings-wrong';
  if (lastUpdate === undefined) return 'not-made';
  return live?.phase ?? 'unknown';
}

const operationView = ({ record, state }: FoundRecord, isHere: boolean): OperationView => ({
  kind: record.kind,
  state,
  since: record.since,
  stage: record.stage,
  underWay: record.underWay,
  ...(record.failure === undefined ? {} : { failure: record.failure }),
  isHere,
  needsAnswers: record.kind === 'create' && (record.stage === 'settings' || record.stage === 'waiting'),
});

/** By the tokens' own line, and by the rule that pauses. */
const TOLD_ELSEWHERE: readonly string[] = ['token-advice', 'token-expires-soon', 'pauses-soon'];

function takesOf({ size, isPaused }: InstanceSummary): NonNullable<InstanceView['takes']> {
  const { instances: _, ...taken } = takenBy(size, isPaused === true);
  return taken;
}

const syncView = (status: SyncStatus): SyncView => ({
  phase: status.phase,
  isReady: status.ready,
  lastSavedAt: status.save.lastSavedAt,
  unsaved: status.save.unsavedChanges,
  lastError: status.save.lastError,
  source: status.source,
  project: status.project,
  problems: status.problems,
  advice: (status.warnings ?? [])
    .filter(({ code }) => !TOLD_ELSEWHERE.includes(code))
    .map(({ code, message }) => ({ code, message })),
  leftOut: status.fileProblems?.total ?? 0,
  volumes: status.volumes ?? {},
  tokenExpiresAt: status.tokenExpiresAt ?? {},
  ...(status.activity === undefined ? {} : { activity: activityView(status.activity) }),
});

/** By the minute, so that nothing is told again without news. */
const activityView = ({ windows, protocols, idleSeconds }: Activity): NonNullable<SyncView['activity']> => ({
  windows,
  protocols,
  idleSeconds: idleSeconds === null ? null : idleSeconds - (idleSeconds % 60),
});
