import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type SyncStatus, syncStatusSchema } from '../../contract/status.ts';
import { systemClock } from '../../src/clock.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { type ServiceOptions, startService } from '../../src/sync/service/service.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { quiet } from './world.ts';

/** The `sync` container in this process, with volumes, sockets and tokens in a folder of the test. */

/** Paths below `root`, of which nothing exists yet. */
export function pathsBelow(root: string): SyncPaths {
  return {
    sourceVolume: join(root, 'source'),
    projectVolume: join(root, 'project'),
    syncSocket: join(root, 'sync.sock'),
    vncSocket: join(root, 'vnc.sock'),
    jobsSocket: join(root, 'jobs.sock'),
    ready: join(root, 'run/ready'),
    config: join(root, 'sync.json'),
    sourceToken: join(root, 'source-token'),
    projectToken: join(root, 'project-token'),
  };
}

/** A configuration whose saves come only when they are asked for. */
export const QUIET_CONFIG = {
  instance: 'lab/alice',
  source: { host: 'localhost', spaceId: 's' },
  project: { host: 'localhost', spaceId: 'p' },
  autosaveIntervalSeconds: 3600,
  graceSeconds: 60,
} as const;

/** Paths below `root`, with both volumes as the init container leaves them. */
export async function containerPaths(root: string): Promise<SyncPaths> {
  const paths = pathsBelow(root);
  for (const volume of [paths.sourceVolume, paths.projectVolume]) {
    mkdirSync(volume, { recursive: true });
    await prepareVolume(volume);
  }
  return paths;
}

export interface Service extends Awaited<ReturnType<typeof startService>> {
  /** As SIGTERM does. */
  stop(): void;
}

/** Containers of a test, which end with it. */
export class Containers {
  readonly #running: Service[] = [];

  async start(given: Omit<ServiceOptions, 'clock' | 'log' | 'probes'>): Promise<Service> {
    const started = await startService({ ...given, clock: systemClock, log: quiet, probes: null });
    const service = { ...started, stop: () => started.runner.stop() };
    this.#running.push(service);
    return service;
  }

  async stopAll(): Promise<void> {
    for (const service of this.#running.splice(0)) {
      service.stop();
      await service.done;
    }
  }

  /** They are dead as after SIGKILL: nobody stops them any more. */
  forgetAll(): void {
    this.#running.splice(0);
  }
}

/** The first status of the container at this socket for which `check` holds. */
export async function untilStatus(
  socket: string,
  what: string,
  check: (status: SyncStatus) => boolean,
  seconds = 30,
): Promise<SyncStatus> {
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    const status = await ask(socket, 'GET', '/v1/status').then(
      (json) => syncStatusSchema.parse(json),
      () => null,
    );
    if (status !== null && check(status)) return status;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`${what} did not come within ${seconds} s`);
}
