import { rm } from 'node:fs/promises';
import type { Report } from '../../automation/tools/progress.ts';
import { type Layout, layoutOf } from './layout.ts';
import { readRecord, withLock } from './record.ts';
import { closeSandbox } from './sandbox.ts';

/** How long containers may go on after SIGTERM when the cluster is stopped under them. */
const GRACE_SECONDS = 10;

/**
 * Stops the cluster; objects, volumes and images stay for the next start. Does nothing when none runs.
 * Instances should be drained before: their volumes stay, but what they had not saved elsewhere is only there.
 */
export async function stopCluster(stateDirectory: string, report: Report): Promise<void> {
  const layout = layoutOf(stateDirectory);
  await locked(layout, report, () => stop(layout, report));
}

/** Stops the cluster and removes all it kept: objects, volumes, images, certificates, logs. */
export async function destroyCluster(stateDirectory: string, report: Report): Promise<void> {
  const layout = layoutOf(stateDirectory);
  await locked(layout, report, async () => {
    await stop(layout, report);
    report('removing the state of the cluster');
    await rm(layout.state, { recursive: true, force: true });
  });
}

async function stop(layout: Layout, report: Report): Promise<void> {
  const record = readRecord(layout);
  if (record) report('stopping the cluster');
  await closeSandbox(layout, record?.supervisor ?? null, GRACE_SECONDS);
  for (const path of [layout.record, layout.services, layout.sockets]) {
    await rm(path, { recursive: true, force: true });
  }
}

function locked(layout: Layout, report: Report, work: () => Promise<void>): Promise<void> {
  return withLock(layout, () => report('another process starts or stops this cluster; waiting for it'), work);
}
