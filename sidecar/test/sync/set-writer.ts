import { appendFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Fills a set as a running protocol of Scipion does, until it is killed: a batch of items and the size of the set in
 * one commit, a line in the log beside it. `node set-writer.ts DATABASE LOG JOURNAL-MODE`
 */
const [file, log, mode] = process.argv.slice(2) as [string, string, string];
const BATCH = 200;
const LARGEST = 6_000;
const database = new DatabaseSync(file, { timeout: 60_000 });
database.exec(`
  PRAGMA journal_mode = ${mode};
  CREATE TABLE Properties (key TEXT UNIQUE, value TEXT);
  CREATE TABLE Classes (id INTEGER PRIMARY KEY, label_property TEXT UNIQUE, column_name TEXT UNIQUE, class_name TEXT);
  CREATE TABLE Objects (id INTEGER PRIMARY KEY, enabled INTEGER, label TEXT, creation DATE, c01 REAL, c02 TEXT);
  INSERT INTO Properties VALUES ('self', 'SetOfParticles'), ('_size', '0');`);
const insert = database.prepare(
  `INSERT INTO Objects (enabled, label, creation, c01, c02) VALUES (1, ?, datetime('now'), ?, ?)`,
);
for (let size = 0; ; ) {
  database.exec('BEGIN');
  if (size >= LARGEST) {
    database.exec('DELETE FROM Objects');
    size = 0;
  }
  for (let index = 0; index < BATCH; index += 1) {
    size += 1;
    insert.run(`particle ${size}`, size * 1.5, 'Runs/000099_Writer/extra/stack.mrcs');
  }
  database.prepare(`UPDATE Properties SET value = ? WHERE key = '_size'`).run(String(size));
  database.exec('COMMIT');
  appendFileSync(log, `${size} items are written\n`);
  writeSync(1, '.');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3);
}
