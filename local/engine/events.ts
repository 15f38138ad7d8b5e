import type { LogMessage } from './protocol.ts';

export type StepKind = 'same' | 'create' | 'update' | 'replace' | 'delete';

/** What happens to one resource. In a preview every step is `planned` and nothing else. */
export interface StepEvent {
  readonly kind: 'step';
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly parent?: string;
  readonly step: StepKind;
  readonly phase: 'planned' | 'started' | 'waiting' | 'done' | 'failed';
  /** Paths of the changed inputs; of a replacement, those that need it. Never values. */
  readonly changed: readonly string[];
  /** What is awaited, or why it failed. */
  readonly message?: string;
  /** Since `started`. */
  readonly seconds?: number;
}

export type EngineEvent =
  | StepEvent
  | { readonly kind: 'log'; readonly log: LogMessage }
  | { readonly kind: 'print'; readonly line: string };

export type OnEvent = (event: EngineEvent) => void;

export type StepCounts = Readonly<Record<StepKind, number>>;

export function countSteps(steps: readonly Pick<StepEvent, 'step'>[]): StepCounts {
  const counts = { same: 0, create: 0, update: 0, replace: 0, delete: 0 };
  for (const { step } of steps) counts[step]++;
  return counts;
}
