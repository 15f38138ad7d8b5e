import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Phase, phaseSchema } from '../../contract/status.ts';
import type { SaveResult } from './save.ts';
import { SpaceError } from './space.ts';
import type { StatusBoard } from './status-board.ts';

type Operation = 'stage-in' | 'restore' | 'save';

/** What the runner reports. */
export interface MetricsSink {
  ran(operation: Operation, result: 'success' | 'error', seconds: number, error?: unknown): void;
  saved(result: SaveResult): void;
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

  constructor(board: StatusBoard) {
    collectDefaultMetrics({ register: this.registry });
    const phases = this.#gauge('scipion_sync_phase', '1 for the current phase', ['phase']);
    const bytes = this.#gauge('scipion_sync_bytes_total', 'Bytes moved since the start of the container', []);
    const held = this.#gauge('scipion_sync_problems', 'Problems that somebody outside has to solve', []);
    const collect = (): void => {
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

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
