#!/usr/bin/env node
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startEmulator } from '../emulators/onedata/emulator.ts';
import type { Entry } from '../emulators/onedata/store/entry.ts';
import { rootUuid } from '../emulators/onedata/store/file-tree.ts';
import { openOnedataSpace } from '../sidecar/src/spaces/onedata/index.ts';

/**
 * `node bench/onedata-listing.ts [files]`: lists that many files (default 1000000, 1000 in each directory) from the
 * emulator in another process, and prints one JSON line: entries, seconds, entries per second (also of processor time, for a
 * machine that has other work), and the client's memory at each tenth of the way. What it retains is the heap after a
 * collection; the resident memory also holds garbage that nobody needed the room of yet.
 */
const PER_DIRECTORY = 1000;
const MEBIBYTE = 1_048_576;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Ready {
  readonly host: string;
  readonly authorityPem: string;
  readonly token: string;
  readonly directory: string;
}

/** Runs in the child: the server's memory and processor time are not the client's. */
async function serve(files: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'onedata-bench-'));
  const emulator = await startEmulator({
    dataDirectory: directory,
    listen: { port: 0 },
    spaces: [{ id: 'sp1', name: 'many' }],
  });
  const { tree } = emulator.context.spaces;
  const root = tree.byUuid(rootUuid('sp1')) as Entry;
  for (let made = 0; made < files; ) {
    tree.atomically(() => {
      const name = `directory-${String(made / PER_DIRECTORY).padStart(6, '0')}`;
      const parent = tree.create(root, name, { type: 'DIR', mode: 0o775 });
      const count = Math.min(PER_DIRECTORY, files - made);
      for (let index = 0; index < count; index++)
        tree.create(parent, `FoilHole_${String(made + index).padStart(7, '0')}_Fractions.tiff`, {
          type: 'REG',
          mode: 0o664,
        });
      made += count;
    });
  }
  process.once('message', async () => {
    await emulator.close();
    process.disconnect();
  });
  const { token } = emulator.mint();
  const ready: Ready = { host: emulator.providerHost, authorityPem: emulator.authorityPem, token, directory };
  process.send?.(ready);
}

async function measure(ready: Ready): Promise<object> {
  const space = openOnedataSpace({
    host: ready.host,
    spaceId: 'sp1',
    token: async () => ready.token,
    certificateAuthorities: ready.authorityPem,
  });
  const retained: number[] = [];
  const resident: number[] = [];
  const look = () => {
    resident.push(Math.round(process.memoryUsage().rss / MEBIBYTE));
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    retained.push(Number(((heapUsed + external) / MEBIBYTE).toFixed(1)));
  };
  let entries = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  const directories: string[] = [];
  for await (const entry of space.list({ path: '' })) directories.push(entry.path);
  const tenth = Math.max(1, Math.ceil(directories.length / 10));
  const worker = async () => {
    for (let path = directories.pop(); path !== undefined; path = directories.pop()) {
      for await (const _ of space.list({ path })) entries += 1;
      if (directories.length > 0 && directories.length % tenth === 0) look();
    }
  };
  await Promise.all(Array.from({ length: space.capabilities.concurrency }, worker));
  const seconds = (performance.now() - started) / 1000;
  await space.close();
  const { user, system } = process.cpuUsage(before);
  return {
    entries,
    seconds: Number(seconds.toFixed(1)),
    entriesPerSecond: Math.round(entries / seconds),
    entriesPerClientCpuSecond: Math.round(entries / ((user + system) / 1e6)),
    retainedMiB: retained,
    residentMiB: resident,
  };
}

const files = Number(process.argv[2] ?? 1_000_000);
if (process.send) await serve(files);
else {
  const child = fork(fileURLToPath(import.meta.url), [String(files)], { stdio: ['ignore', 2, 2, 'ipc'] });
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Ready));
    child.once('exit', (code) => reject(new Error(`The emulator ended with ${code} before it was ready.`)));
  });
  try {
    process.stdout.write(`${JSON.stringify(await measure(ready))}\n`);
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.send('end');
    await ended;
    await rm(ready.directory, { recursive: true, force: true });
  }
}
