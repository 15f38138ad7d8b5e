import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Write } from './recorded-writes.ts';

/** One row of a table of durable writes in docs/sync-semantics.md. */
export interface DurableStep<To extends string> {
  readonly name: string;
  readonly calls: readonly string[];
  /** Its name is in italics: it is there only where something is to do. */
  readonly isOptional: boolean;
  /** "in one transaction" */
  readonly isOneTransaction: boolean;
  /** "brought to the disk" */
  readonly isDurable: boolean;
  /** What whoever comes next finds, or has to do, after a crash here. */
  readonly leadsTo: To;
}
export type SaveStep = DurableStep<'the save before' | 'this save'>;
export type RestoreStep = DurableStep<'the rest' | 'nothing'>;

/** Rows of the documentation whose last cell begins with one of these, and the calls in their second cell. */
function rowsThatLeadTo<To extends string>(...outcomes: readonly To[]): DurableStep<To>[] {
  const text = readFileSync(new URL('../../../docs/sync-semantics.md', import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const leadsTo = outcomes.find((outcome) => cells.at(-2)?.startsWith(`**${outcome}**`));
    if (leadsTo === undefined) return [];
    const [, name = '', calls = '', onVolume = ''] = cells;
    return [
      {
        name,
        calls: [...calls.matchAll(/`([^`]+)`/g)].map(([, call = '']) => call),
        isOptional: /^\*.*\*$/.test(name),
        isOneTransaction: onVolume.includes('in one transaction'),
        isDurable: onVolume.includes('brought to the disk'),
        leadsTo,
      },
    ];
  });
}

/** @returns rows in the order of the table */
export const saveSteps = (): SaveStep[] => rowsThatLeadTo('the save before', 'this save');
export const restoreSteps = (): RestoreStep[] => rowsThatLeadTo('the rest', 'nothing');

/** @returns the row of each call: the one of the call before it, or the first one after that which has it */
export function rowsOf<Step extends DurableStep<string>>(
  steps: readonly Step[],
  calls: readonly string[],
): Step[] {
  let row = 0;
  return calls.map((call, at) => {
    const next = steps.findIndex((step, index) => index >= row && step.calls.includes(call));
    const since = calls.slice(Math.max(0, at - 3), at).join(', ');
    expect(
      next,
      `a row of "${call}" in the table of durable writes, from "${steps[row]?.name}" on, after ${since}`,
    ).toBeGreaterThanOrEqual(0);
    row = next;
    return steps[row] as Step;
  });
}

/** Each write has a row, in the order of the rows, and is as whole and as safe from a power cut as its row says. */
export function expectAsTable<Step extends DurableStep<string>>(
  steps: readonly Step[],
  writes: readonly Write[],
): Step[] {
  const rows = rowsOf(
    steps,
    writes.map(({ call }) => call),
  );
  const ofState = writes
    .map((write, at) => ({ ...write, row: rows[at] as Step }))
    .filter(({ call }) => call.startsWith('state '));
  for (const { call, isDurable, row } of ofState)
    expect(isDurable, `whether "${call}" in "${row.name}" is brought to the disk`).toBe(row.isDurable);
  for (const row of new Set(ofState.filter(({ row }) => row.isOneTransaction).map(({ row }) => row))) {
    const own = ofState.filter((write) => write.row === row);
    const transactions = new Set(own.map(({ transaction }) => transaction));
    expect(transactions, `"${row.name}" is one transaction`).toEqual(new Set([expect.any(Number)]));
    const within = ofState.filter(({ transaction }) => transactions.has(transaction));
    expect(
      within.map(({ row }) => row.name),
      `what is in the transaction of "${row.name}"`,
    ).toEqual(own.map(() => row.name));
  }
  return rows;
}
