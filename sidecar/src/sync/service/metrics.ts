import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Phase, phaseSchema } from '../../../contract/status.ts';
import { addBuildInfo } from '../../build-info.ts';
import type { Clock } from '../../clock.ts';
import { ANSWERED, type Answered } from '../../spaces/onedata/http-connections.ts';
import { SpaceError } from '../../spaces/space.ts';
import type { SaveResult } from '../save/save.ts';
import type { StatusBoard } from './status-board.ts';

type Operation = 'stage-in' | 'restore' | 'save';

/** What the runner reports. */
export interface MetricsSink {
  ran(operation: Operation, result: 'success' | 'error', seconds: number, error?: unknown): void;
  saved(result: SaveResult): void;
  /** Turns of the autosave that passed while one save took so long. */
  missed(count: number): void;
}

/** Does the work and reports how it went. */
export async function timed<T>(
  { clock, metrics }: { readonly clock: Clock; readonly metrics?: MetricsSink },
  operation: Operation,
  work: () => Promise<T>,
): Promise<T> {
  const began = clock.monotonic();
  try {
    const result = await work();
    metrics?.ran(operation, 'success', (clock.monotonic() - began) / 1000);
    return result;
  } catch (error) {
    metrics?.ran(operation, 'error', (clock.monotonic() - began) / 1000, error);
    throw error;
  }
}

/** Numbers for Prometheus. No label holds a name of a file, a space or a user. */
export class SyncMetrics implements MetricsSink {
  readonly registry = new Registry();
  readonly #lastSuccess = this.#gauge(
    'scipion_sync_last_success_timestamp_seconds',
    'End of the last success',
    ['operation'],
  );
  readonly #duration = new Histogram({
    name: 'scipion_sync_duration_seconds',
    help: 'How long an operation took',
    labelNames: ['operation'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200],
    registers: [this.registry],
  });
  readonly #runs = this.#counter('scipion_sync_runs_total', 'Operations by outcome', ['operation', 'result']);
  readonly #errors = this.#counter('scipion_sync_errors_total', 'Failures by class', ['class']);
  readonly #changes = this.#counter('scipion_sync_files_total', 'Paths by what was done with them', [
    'action',
  ]);
  readonly #outOfSync = this.#gauge('scipion_sync_out_of_sync', '1: some changes are in no save', []);

  readonly #missed = this.#counter(
    'scipion_sync_missed_intervals_total',
    'Autosaves that were left out because the one before took longer than the interval',
    [],
  );
  readonly #requests = this.#counter(
    'scipion_onedata_requests_total',
    'Requests to Onedata by HTTP status; "none": no answer came',
    ['code'],
  );

  /** Call `close` when done. */
  constructor(board: StatusBoard, holdsLease: () => boolean) {
    collectDefaultMetrics({ register: this.registry });
    addBuildInfo(this.registry, 'sync');
    subscribe(ANSWERED, this.#onAnswer);
    const phases = this.#gauge('scipion_sync_phase', '1 for the current phase', ['phase']);
    const bytes = this.#gauge('scipion_sync_bytes_total', 'Bytes moved since the start of the container', []);
    const held = this.#gauge('scipion_sync_problems', 'Problems that somebody outside has to solve', []);
    const lease = this.#gauge('scipion_lease_held', '1: this instance may write the project space', []);
    const pending = this.#pendingGauges();
    const expiry = this.#gauge(
      'scipion_onedata_token_expiry_timestamp_seconds',
      'When the token of a space ends; absent where it does not or that is not known',
      ['space'],
    );
    const collect = (): void => {
      const { tokenExpiresAt = {}, project } = board.status();
      lease.set(holdsLease() ? 1 : 0);
      pending.files.set(project.filesTotal === null ? 0 : project.filesTotal - project.filesDone);
      pending.bytes.set(project.bytesTotal === null ? 0 : project.bytesTotal - project.bytesDone);
      expiry.reset();
      for (const [space, at] of Object.entries(tokenExpiresAt))
        if (at) expiry.set({ space }, Date.parse(at) / 1000);
      for (const phase of phaseSchema.options)
        phases.set({ phase }, phase === (board.phase satisfies Phase) ? 1 : 0);
      bytes.set((board.progress.source?.totalBytes ?? 0) + (board.progress.project?.totalBytes ?? 0));
      held.set(board.status().problems.length);
    };
    this.text = () => {
      collect();
      return this.registry.metrics();
    };
  }

  /** The page for Prometheus. */
  readonly text: () => Promise<string>;

  ran(operation: Operation, result: 'success' | 'error', seconds: number, error?: unknown): void {
    this.#runs.inc({ operation, result });
    this.#duration.observe({ operation }, seconds);
    if (result === 'success') this.#lastSuccess.set({ operation }, Date.now() / 1000);
    else this.#errors.inc({ class: error instanceof SpaceError ? error.code : 'other' });
  }

  saved(result: SaveResult): void {
    this.#changes.inc({ action: 'saved' }, result.changes);
    this.#changes.inc({ action: 'skipped' }, result.skipped);
    this.#outOfSync.set(result.skipped > 0 ? 1 : 0);
  }

  missed(count: number): void {
    if (count > 0) this.#missed.inc(count);
  }

  close(): void {
    unsubscribe(ANSWERED, this.#onAnswer);
  }

  readonly #onAnswer = (message: unknown): void => {
    const { status } = message as Answered;
    this.#requests.inc({ code: status === null ? 'none' : String(status) });
  };

  #pendingGauges() {
    const help = (what: string) =>
      `${what} that the copy or save of the project under way has still before it`;
    return {
      files: this.#gauge('scipion_sync_pending_files', help('Files'), []),
      bytes: this.#gauge('scipion_sync_pending_bytes', help('Bytes'), []),
    };
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
