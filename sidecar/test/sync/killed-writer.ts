import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Leaves what a killed writer leaves: with WAL, rows that are only in the log; else a transaction that has spilt into
 * the file, with its journal. `node killed-writer.ts FILE MODE`; it says when it may be killed, and waits.
 */
const [file, mode] = process.argv.slice(2) as [string, string];
const database = new DatabaseSync(file, { timeout: 60_000 });
database.exec(
  `PRAGMA journal_mode = ${mode}; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 1;
   CREATE TABLE IF NOT EXISTS Objects (id INTEGER PRIMARY KEY, text TEXT)`,
);
const insert = database.prepare('INSERT INTO Objects (text) VALUES (?)');
database.exec('BEGIN');
for (let index = 0; index < 400; index += 1) insert.run(`row ${index} `.repeat(40));
database.exec('COMMIT');
if (mode !== 'WAL') {
  database.exec(`BEGIN; UPDATE Objects SET text = 'not committed ' || text`);
  for (let index = 0; index < 2_000; index += 1) insert.run('not committed '.repeat(40));
}
writeSync(1, '.');
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
