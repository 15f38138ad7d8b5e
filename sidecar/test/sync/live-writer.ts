import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A process that commits to a database as Scipion's sets do, until it is killed. `node live-writer.ts FILE MODE` */
const [file, mode] = process.argv.slice(2) as [string, string];
const database = new DatabaseSync(file, { timeout: 60_000 });
database.exec(
  `PRAGMA journal_mode = ${mode}; CREATE TABLE IF NOT EXISTS Objects (id INTEGER PRIMARY KEY, text TEXT)`,
);
const insert = database.prepare('INSERT INTO Objects (text) VALUES (?)');
let id = 0;
for (;;) {
  database.exec('BEGIN');
  for (let index = 0; index < 100; index += 1) {
    id += 1;
    insert.run(`particle ${id} `.repeat(20));
  }
  database.exec(`UPDATE Objects SET text = text || '.' WHERE id % 7 = 0`);
  database.exec(id > 4_000 ? 'DELETE FROM Objects WHERE id % 3 = 0; COMMIT' : 'COMMIT');
  if (id > 4_000)
    id = Number((database.prepare('SELECT count(*) AS n FROM Objects').get() as { n: number }).n) % 4_000;
  writeSync(1, '.');
  // Commits come in bursts, not without end.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}
