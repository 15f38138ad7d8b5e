import type { Machine } from './machine.ts';
import type { Run } from './statistics.ts';

/** What one competitor did in one case. */
export interface Series {
  /** Stable name for programs, e.g. `rsync`. */
  readonly name: string;
  /** For people, e.g. `rsync -a --delete`. */
  readonly label: string;
  readonly isOurs: boolean;
  readonly runs: readonly Run[];
}

/** Of `measuredAt`. */
export const minuteNow = () => `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** A comparison that was promised, with what was measured. */
export interface Target {
  readonly text: string;
  readonly measured: number;
  readonly limit: number;
  readonly sense: 'at most' | 'at least';
  /** Unit of both numbers; `×` for ratios. */
  readonly unit: string;
}

/** How something grows with the number of files. */
export interface Growth {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly {
    readonly label: string;
    readonly isOurs: boolean;
    readonly points: readonly { readonly files: number; readonly value: number }[];
  }[];
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  /** One sentence: what was done with what data. */
  readonly setup: string;
  readonly scale: Scale;
  /** UTC, to the minute. */
  readonly measuredAt: string;
  readonly machine: Machine;
  readonly series: readonly Series[];
  readonly targets: readonly Target[];
  readonly growth: readonly Growth[];
}

export interface Results {
  readonly version: 1;
  readonly cases: readonly CaseResult[];
}

/** `tiny` is for the test of the harness itself: its numbers say nothing. */
export type Scale = 'tiny' | 'small' | 'medium' | 'full';

export const isMet = ({ measured, limit, sense }: Target): boolean =>
  sense === 'at most' ? measured <= limit : measured >= limit;

/** Results with `fresh` in the place of the case of the same name. */
export function withCase(results: Results, fresh: CaseResult): Results {
  const others = results.cases.filter(({ name }) => name !== fresh.name);
  return { version: 1, cases: [...others, fresh].sort((a, b) => a.name.localeCompare(b.name)) };
}
