import { appendFileSync } from 'node:fs';
import { afterAll, describe, test } from 'vitest';
import { closeEmulator, KINDS, type Kind } from './harness.ts';

/**
 * `SYNC_ATTACKS=full`: every row; a regular expression: the rows of such names; otherwise the rows marked as sample.
 * `SYNC_ATTACKS_REPORT`: a file to which each outcome is written as it comes.
 */
const { SYNC_ATTACKS, SYNC_ATTACKS_REPORT } = process.env;
const IS_FULL = SYNC_ATTACKS === 'full';

export interface Row {
  /** What is done to the engine. */
  readonly name: string;
  /** @default both */
  readonly kinds?: readonly Kind[];
  /** Part of `npm test`, with this kind of space. */
  readonly sample?: Kind;
  /** A part of another row, to look closer at what fails there: only run by its name. */
  readonly isPart?: boolean;
  /** It is known to fail, for this reason: the row is red as soon as it passes. By kind where they differ. */
  readonly fails?: string | { readonly [kind in Kind]?: string };
}

const TIMEOUT_MS = 500_000;

// Of the file: its tables run side by side.
afterAll(closeEmulator);

function isChosen(row: Row, kind: Kind): boolean {
  if (IS_FULL) return row.isPart !== true;
  if (SYNC_ATTACKS !== undefined) return new RegExp(SYNC_ATTACKS).test(row.name);
  return row.sample === kind;
}

/** Names of thousands of bytes are no help. */
function shortened(text: string): string {
  const lines = text
    .replace(/(.)\1{20,}/g, '$1$1$1…')
    .replace(/(\/ddd…)+/g, '/ddd…')
    .split('\n');
  return lines.slice(0, 25).join('\n').slice(0, 1500);
}

/** One table: each row with each kind of space is a test of its own. In full it prints its counts. */
export function attack<R extends Row>(
  table: string,
  rows: readonly R[],
  run: (row: R, kind: Kind) => Promise<void>,
): void {
  const count = { passed: 0, failed: 0, known: 0 };
  const failures: string[] = [];
  const report = (outcome: string) => {
    if (SYNC_ATTACKS_REPORT) appendFileSync(SYNC_ATTACKS_REPORT, `${table}: ${outcome}\n`);
  };
  // Most of a row is waiting.
  describe(table, { concurrent: IS_FULL }, () => {
    afterAll(() => {
      if (SYNC_ATTACKS === undefined) return;
      console.info([`${table}: ${JSON.stringify(count)}`, ...failures].join('\n  '));
    });
    for (const row of rows) {
      for (const kind of row.kinds ?? KINDS) {
        if (!isChosen(row, kind)) continue;
        const known = typeof row.fails === 'string' ? row.fails : row.fails?.[kind];
        const work = async () => {
          try {
            await run(row, kind);
            count.passed += 1;
            report(`passed ${kind} ${row.name}`);
          } catch (error) {
            count[known === undefined ? 'failed' : 'known'] += 1;
            const why = shortened((error as Error).message);
            (error as Error).message = why;
            const failure = `${known === undefined ? 'FAILS' : 'known'} ${kind} ${row.name}: ${why}`;
            failures.push(failure);
            report(failure);
            throw error;
          }
        };
        const name = `${kind}: ${row.name}`;
        if (known === undefined) test(name, work, TIMEOUT_MS);
        else test.fails(`${name} (known: ${known})`, work, TIMEOUT_MS);
      }
    }
    // A file whose rows are all outside the sample is no error.
    if (!rows.some((row) => (row.kinds ?? KINDS).some((kind) => isChosen(row, kind))))
      test('no row of this table is chosen', () => undefined);
  });
}
