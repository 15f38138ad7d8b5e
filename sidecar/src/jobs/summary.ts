import type { JobsSummary, JobView } from '../../contract/job-view.ts';

/** Pure. A job of which nobody can say what became of it counts as running, as everywhere. */
export function countJobs(jobs: readonly JobView[]): Pick<JobsSummary, 'waiting' | 'running' | 'ended'> {
  const counts = { waiting: 0, running: 0, ended: 0 };
  for (const { state } of jobs) counts[PLACE[state]] += 1;
  return counts;
}

const PLACE = { pending: 'waiting', running: 'running', lost: 'running', ended: 'ended' } as const;
const RANK = { running: 0, lost: 0, pending: 1, ended: 2 } as const;

/** @param shown the most that are told of one by one */
export function summaryOf(jobs: readonly JobView[], isClosed: boolean, shown: number): JobsSummary {
  const time = ({ endedAt, submittedAt }: JobView) => endedAt ?? submittedAt;
  const sorted =
    shown === 0
      ? []
      : jobs.toSorted(
          (a, b) =>
            RANK[a.state] - RANK[b.state] || time(b).localeCompare(time(a)) || a.id.localeCompare(b.id),
        );
  return { isClosed, ...countJobs(jobs), jobs: sorted.slice(0, shown) };
}
