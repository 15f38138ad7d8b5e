import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFileSync } from '../tools/replace-file.ts';
import { OPERATION_KINDS, OPERATION_STAGES, type OperationKind } from './kinds.ts';
import { takeLock } from './lock.ts';
import { FleetError } from './operation.ts';

/**
 * One operation at a time on a stack, whoever asks: a lock that the kernel takes back when its process ends, however it
 * ends, and beside it a record of what was begun. A record whose lock is free is an operation that was killed.
 */

const recordSchema = z.object({
  kind: z.enum(OPERATION_KINDS),
  /** ISO 8601, UTC. */
  since: z.string(),
  host: z.string(),
  pid: z.int(),
  /** What it was doing last. */
  stage: z.enum(OPERATION_STAGES),
  /** The engine's process, which may outlive this one. */
  engine: z.object({ pid: z.int(), started: z.string().nullable() }).optional(),
  /** Objects that the engine had begun and not ended. */
  underWay: z.array(z.string()).default([]),
  /** Who the instance is for, while its settings do not say it yet. */
  owner: z.string().optional(),
  /** Why it ended without success; absent: it runs, or it was killed. */
  failure: z.string().optional(),
});
export type OperationRecord = z.output<typeof recordSchema>;

export interface FoundRecord {
  readonly record: OperationRecord;
  readonly state: 'running' | 'failed' | 'killed';
}

export interface HeldRecord {
  /** What an operation before this one left behind. */
  readonly previous: FoundRecord | undefined;
  update(changes: Partial<OperationRecord>): void;
  /** Releases the lock. @param failure keeps the record of what was begun, for whoever asks what happened */
  end(failure?: string): void;
}

export class OperationRecords {
  readonly #folder: string;
  /** SQLite would let one process in twice. */
  readonly #held = new Set<string>();

  /** @param folder on a disk of this machine; made where there is none */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** @throws FleetError `busy` */
  begin(stack: string, kind: OperationKind, owner?: string): HeldRecord {
    const unlock = this.#lock(stack);
    const found = this.#read(stack);
    if (unlock === undefined) throw busy(stack, found);
    const previous = found && ({ record: found, state: found.failure ? 'failed' : 'killed' } as const);
    let record: OperationRecord = {
      kind,
      since: new Date().toISOString(),
      host: hostname(),
      pid: process.pid,
      stage: 'waiting',
      underWay: [],
      ...(owner === undefined ? {} : { owner }),
    };
    const write = () => this.#write(stack, record);
    try {
      // What was killed stays known until this one has really begun.
      if (previous?.state !== 'killed') write();
    } catch (error) {
      unlock();
      throw error;
    }
    return {
      previous,
      update: (changes) => {
        record = { ...record, ...changes };
        write();
      },
      end: (failure) => {
        try {
          // What was refused before it did anything left nothing to go on with.
          const isRefused = failure !== undefined && record.stage === 'waiting';
          if (isRefused && previous !== undefined) this.#write(stack, previous.record);
          else if (failure === undefined || isRefused) rmSync(this.#file(stack), { force: true });
          else this.#write(stack, { ...record, failure });
        } finally {
          unlock();
        }
      },
    };
  }

  /** Keeps operations away while somebody only looks; nothing is written. @returns what ends it @throws FleetError `busy` */
  hold(stack: string): () => void {
    const unlock = this.#lock(stack);
    if (unlock === undefined) throw busy(stack, this.#read(stack));
    return unlock;
  }

  find(stack: string): FoundRecord | undefined {
    const record = this.#read(stack);
    if (record === undefined) return undefined;
    if (record.failure !== undefined) return { record, state: 'failed' };
    const unlock = this.#lock(stack);
    unlock?.();
    return { record, state: unlock === undefined ? 'running' : 'killed' };
  }

  /** Stacks with a record. */
  stacks(): string[] {
    return readdirSync(this.#folder).flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? []);
  }

  /** undefined: somebody has it. */
  #lock(stack: string): (() => void) | undefined {
    if (this.#held.has(stack)) return undefined;
    const release = takeLock(join(this.#folder, `${stack}.lock`));
    if (release === undefined) return undefined;
    this.#held.add(stack);
    return () => {
      if (this.#held.delete(stack)) release();
    };
  }

  #file = (stack: string) => join(this.#folder, `${stack}.json`);

  #write(stack: string, record: OperationRecord): void {
    const file = this.#file(stack);
    replaceFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  }

  #read(stack: string): OperationRecord | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file(stack), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return recordSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new FleetError(
        'failed',
        `${this.#file(stack)} cannot be read: found ${text.length} characters that are no record of an operation. ` +
          'It only says what was begun last.',
        { cause: error, advice: `Remove it, then look what there is: npm run instance -- status ${stack}` },
      );
    }
  }
}

const busy = (stack: string, record: OperationRecord | undefined) => {
  const what = record === undefined ? 'Something' : describeRecord(record);
  return new FleetError(
    'busy',
    `${what} still runs on ${stack}; nothing was begun. Wait until it has ended.`,
    {
      advice: `How far it is: npm run instance -- status ${stack}`,
    },
  );
};

/** `"change" (since 2026-11-30 09:10 UTC, process 12 on host)`. */
export const describeRecord = ({ kind, since, pid, host }: OperationRecord) =>
  `"${kind}" (since ${since.slice(0, 16).replace('T', ' ')} UTC, process ${pid} on ${host})`;

/** When a process began, in ticks since the machine did; null where the system does not say, undefined: there is none. */
export function startOf(pid: number): string | null | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : (fields[19] ?? null);
  } catch {
    try {
      process.kill(pid, 0);
      return null;
    } catch {
      return undefined;
    }
  }
}

/** Whether the engine of a killed operation still works; its number may be another process's by now. */
export function isEngineAlive({ engine, host }: OperationRecord): boolean {
  if (engine === undefined || host !== hostname()) return false;
  const start = startOf(engine.pid);
  return start !== undefined && (start === engine.started || start === null);
}
