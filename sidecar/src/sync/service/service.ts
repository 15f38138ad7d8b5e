import * as fs from 'node:fs/promises';
import { PORTS } from '../../../contract/paths.ts';
import { probesApi, syncApi } from './http-api.ts';
import { LiveSettings } from './live-settings.ts';
import { SyncMetrics } from './metrics.ts';
import { Runner } from './runner.ts';
import type { RunnerOptions } from './runner-options.ts';
import { verifyOnSchedule } from './verify-schedule.ts';
import { watchVolumes } from './volume-room.ts';

export interface ServiceOptions extends Omit<RunnerOptions, 'metrics' | 'settings'> {
  /** @default those of `config`, which never change */
  readonly settings?: LiveSettings;
  /** @default PORTS.syncProbes on all addresses of the pod; null: none */
  readonly probes?: { readonly host: string; readonly port: number } | null;
}

/** The whole container: runner, socket and probes. `done` resolves after the final save. */
export async function startService(
  options: ServiceOptions,
): Promise<{ runner: Runner; done: Promise<void> }> {
  const { paths, log, settings = new LiveSettings(options.config) } = options;
  let metrics: SyncMetrics | undefined;
  const runner: Runner = new Runner({
    ...options,
    settings,
    // Made from the board, which the runner has.
    metrics: {
      ran: (...args) => metrics?.ran(...args),
      saved: (result) => metrics?.saved(result),
      missed: (count) => metrics?.missed(count),
    },
  });
  metrics = new SyncMetrics(runner.board, () => runner.project?.holdsLease ?? false);
  const api = syncApi(runner, log);
  // A socket of a container that was killed is in the way.
  await fs.rm(paths.syncSocket, { force: true });
  await api.listen({ path: paths.syncSocket });
  await fs.chmod(paths.syncSocket, 0o660);
  const probes = probesApi(runner, metrics);
  const at = options.probes === undefined ? { host: '0.0.0.0', port: PORTS.syncProbes } : options.probes;
  if (at !== null) await probes.listen(at);
  const over = new AbortController();
  void watchVolumes(runner.board, options, over.signal);
  const verifying = verifyOnSchedule({ ...options, settings, runner }, over.signal);
  const done = runner.run().finally(async () => {
    over.abort();
    await verifying;
    await Promise.all([api.close(), probes.close()]);
    metrics.close();
    await fs.rm(paths.syncSocket, { force: true });
  });
  return { runner, done };
}
