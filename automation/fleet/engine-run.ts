import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Project, RunChanges } from '../engine/index.ts';
import type { UpResult } from './instances.ts';
import { FleetError, type Happening } from './operation.ts';
import { describeRecord, type HeldRecord, isEngineAlive, startOf } from './records.ts';

/** One run of the engine, told step by step, and written down so that whoever comes after a crash knows how far it was. */

const ENGINE_POLL_MS = 500;

export interface Run {
  readonly emit: (happening: Happening) => void;
  readonly held: HeldRecord;
}

export async function runEngine(
  project: Project,
  name: string,
  { emit, held }: Run,
  what: 'up' | 'destroy',
  changes: RunChanges = {},
): Promise<UpResult> {
  const underWay = new Set<string>();
  const orphan = held.previous?.record.engine?.pid;
  held.update({ stage: 'engine', underWay: [] });
  const run = () =>
    project.deployment(name)[what]((text) => emit({ event: 'said', text }), {
      ...changes,
      onProcess: (pid) => held.update({ engine: { pid, started: startOf(pid) ?? null } }),
      onStep: (step) => {
        const object = `${step.operation} ${step.kind} ${step.name}`;
        if (step.state === 'begun') underWay.add(object);
        else underWay.delete(object);
        held.update({ underWay: [...underWay] });
        emit({ event: 'step', step });
      },
    });
  const { changes: counts, warnings } = await run().catch(async (error: Error) => {
    if (!isLockOf(error.message, orphan)) throw error;
    emit({
      event: 'said',
      text: `taking away the lock that the killed engine (process ${orphan}) has left`,
    });
    await project.unlock(name);
    return run();
  });
  for (const text of warnings) emit({ event: 'warning', text });
  return { changes: counts };
}

/** Only a lock of the very engine whose end was seen is taken away; a lock of anybody else is not. */
export function isLockOf(message: string, pid: number | undefined): boolean {
  if (pid === undefined || !/stack is currently locked by/.test(message)) return false;
  const holders = [...message.matchAll(/\(pid (\d+)\)/g)].map(([, found]) => Number(found));
  return holders.length > 0 && holders.every((holder) => holder === pid);
}

/** What a killed process has left: its engine may still work. */
export async function recover(name: string, { emit, held }: Run): Promise<void> {
  if (held.previous?.state !== 'killed') return;
  const { record } = held.previous;
  if (record.host !== hostname() && record.stage === 'engine')
    throw new FleetError(
      'interrupted',
      `${describeRecord(record)} was begun on ${name} by another machine and may still run there. If not: npm run instance -- resume ${name} --give-up, then again.`,
    );
  emit({ event: 'said', text: `${describeRecord(record)} was killed; it is taken up from there` });
  if (!isEngineAlive(record)) return;
  emit({
    event: 'said',
    text: `its engine (process ${record.engine?.pid}) still works; waiting for its end`,
  });
  while (isEngineAlive(record)) await sleep(ENGINE_POLL_MS);
}
