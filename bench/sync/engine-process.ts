/** The engine in a process of its own, told what to do over IPC. Only started by `engine.ts`. */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { systemClock } from '../../sidecar/src/clock.ts';
import { DirectorySpace } from '../../sidecar/src/spaces/directory-space.ts';
import { ANSWERED } from '../../sidecar/src/spaces/onedata/http-connections.ts';
import { fileToken, openOnedataSpace } from '../../sidecar/src/spaces/onedata/index.ts';
import { withRetry } from '../../sidecar/src/spaces/retry.ts';
import type { Space } from '../../sidecar/src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../sidecar/src/sync/plan/guards.ts';
import { Progress } from '../../sidecar/src/sync/progress.ts';
import { ProjectSession } from '../../sidecar/src/sync/service/project-session.ts';
import { SourceSession } from '../../sidecar/src/sync/service/source-session.ts';
import { prepareVolume } from '../../sidecar/src/sync/volume/volume.ts';
import { peakOf } from '../lib/measure.ts';
import type { EngineAnswer, EngineRequest, SpaceSpec } from './engine.ts';
import { seedProject } from './seed.ts';

let requests = 0;
subscribe(ANSWERED, () => {
  requests += 1;
});

const log = pino({ level: 'silent' });
let project: ProjectSession | undefined;

function openSpace(spec: SpaceSpec): Space {
  if (spec.kind === 'directory') return withRetry(new DirectorySpace(spec.directory));
  const { host, spaceId, tokenFile, authorityFile } = spec;
  const space = openOnedataSpace({
    host,
    spaceId,
    token: fileToken(tokenFile),
    certificateAuthorities: readFileSync(authorityFile, 'utf8'),
  });
  return withRetry(space);
}

function common(root: string, space: Space) {
  return {
    root,
    space,
    clock: systemClock,
    log,
    progress: new Progress(systemClock),
    limits: DEFAULT_LIMITS,
    signal: new AbortController().signal,
  };
}

/** As the service does: without heartbeats a long save looks before each move whether the lease is still its own. */
function keepAlive(session: ProjectSession): void {
  setInterval(() => void session.heartbeat().catch(() => undefined), session.heartbeatMs).unref();
}

async function execute(order: EngineRequest): Promise<unknown> {
  switch (order.do) {
    case 'stage-in': {
      await prepareVolume(order.root);
      const space = openSpace(order.space);
      const session = await SourceSession.open(common(order.root, space));
      const result = await session.stageIn();
      session.close();
      await space.close();
      return { ...result, connections: space.capabilities.concurrency };
    }
    case 'open-project': {
      await prepareVolume(order.root);
      const space = openSpace(order.space);
      project = await ProjectSession.open({ ...common(order.root, space), instance: 'bench/ours' });
      await project.acquireLease(true);
      keepAlive(project);
      return order.start
        ? project.start({ mayOpenWithout: ({ total }) => total <= (order.confirmedMissing ?? 0) })
        : project.resume();
    }
    case 'seed-project':
      await prepareVolume(order.root);
      return seedProject(order.root, openSpace(order.space));
    case 'save':
      if (project === undefined) throw new Error('no project is open');
      return project.save({ scope: order.full ? 'everything' : 'changed' });
  }
}

process.on('message', async (order: EngineRequest) => {
  const before = { requests, cpu: process.cpuUsage() };
  const began = performance.now();
  let answer: EngineAnswer;
  try {
    const result = await execute(order);
    const cpu = process.cpuUsage(before.cpu);
    answer = {
      ok: true,
      result,
      seconds: (performance.now() - began) / 1000,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      requests: requests - before.requests,
      peakBytes: peakOf('self') ?? 0,
    };
  } catch (error) {
    answer = { ok: false, error: (error as Error).stack ?? String(error) };
  }
  process.send?.(answer);
});
process.on('disconnect', () => process.exit(0));
