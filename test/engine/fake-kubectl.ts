#!/usr/bin/env node
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/**
 * Stands for kubectl and its cluster: get, apply, delete of objects given on standard input, kept in a JSON file.
 * FAKE_CLUSTER names the file; beside it are `.log` (one line a command) and `.faults.json`:
 *   { "apply": { "<Kind>/<name>": "<error>" }, "delete": {…}, "crash": { "<Kind>/<name>": true }, "unready": ["<Kind>/<name>"] }
 * A crash applies the object and then kills the process that called.
 */
type Thing = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [key: string]: unknown };
  spec?: { replicas?: number };
};
type Faults = {
  apply?: Record<string, string>;
  delete?: Record<string, string>;
  crash?: Record<string, boolean>;
  unready?: string[];
};

const file = process.env.FAKE_CLUSTER ?? '';
const { values: flags, positionals } = parseArgs({ allowPositionals: true, strict: false });
const [command] = positionals;
const kind = positionals.find((word) => word === 'pods' || word === 'storageclasses');
const read = <T>(path: string, absent: T): T =>
  existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : absent;
const faults = read<Faults>(`${file}.faults.json`, {});

async function locked<T>(change: (cluster: Record<string, unknown>) => T): Promise<T> {
  for (;;) {
    try {
      mkdirSync(`${file}.lock`);
      break;
    } catch {
      await sleep(5);
    }
  }
  try {
    const cluster = read<Record<string, unknown>>(file, {});
    const result = change(cluster);
    writeFileSync(`${file}.new`, JSON.stringify(cluster, null, 1));
    renameSync(`${file}.new`, file);
    return result;
  } finally {
    rmdirSync(`${file}.lock`);
  }
}

function fail(text: string): never {
  process.stderr.write(`Error from server ${text}\n`);
  process.exit(1);
}

const input = kind === undefined ? readFileSync(0, 'utf8') : '';
appendFileSync(`${file}.log`, `${process.argv.slice(2).join(' ')}\n`);

if (kind !== undefined) {
  const wanted = kind === 'storageclasses' ? 'StorageClass' : 'Pod';
  const cluster = read<Record<string, Thing>>(file, {});
  process.stdout.write(
    JSON.stringify({ items: Object.values(cluster).filter((item) => item.kind === wanted) }),
  );
} else {
  const object = JSON.parse(input) as Thing;
  const label = `${object.kind}/${object.metadata.name}`;
  const key = `${object.kind}/${object.metadata.namespace ?? flags.namespace ?? ''}/${object.metadata.name}`;
  if (command === 'get') {
    const found = await locked((cluster) => cluster[key]);
    // kubectl 1.34 answers a list to `get -f`, with `--ignore-not-found` perhaps an empty one.
    process.stdout.write(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: found ? [found] : [] }));
  } else if (command === 'apply') {
    const refusal = faults.apply?.[label];
    if (refusal) fail(refusal);
    const live = await locked((cluster) => {
      const { namespace } = object.metadata;
      if (namespace && !cluster[`Namespace//${namespace}`]) {
        return undefined;
      }
      const manager = { manager: flags['field-manager'], operation: 'Apply' };
      const ready = !faults.unready?.includes(label);
      const replicas = object.spec?.replicas ?? 1;
      const next = {
        ...object,
        metadata: { ...object.metadata, uid: `uid-${label}`, generation: 1, managedFields: [manager] },
        status: {
          phase: ready ? (object.kind === 'Namespace' ? 'Active' : 'Bound') : 'Pending',
          observedGeneration: 1,
          readyReplicas: ready ? replicas : 0,
          updatedReplicas: replicas,
          loadBalancer: { ingress: ready ? [{ ip: '192.0.2.1' }] : [] },
        },
      };
      cluster[key] = next;
      return next;
    });
    if (!live) fail(`(NotFound): namespaces "${object.metadata.namespace}" not found`);
    if (faults.crash?.[label]) process.kill(process.ppid, 'SIGKILL');
    process.stdout.write(JSON.stringify(live));
  } else if (command === 'delete') {
    const refusal = faults.delete?.[label];
    if (refusal) fail(refusal);
    await locked((cluster) => {
      delete cluster[key];
      // Deleting a namespace deletes what is in it.
      for (const other of Object.keys(cluster)) {
        if (object.kind === 'Namespace' && other.split('/')[1] === object.metadata.name)
          delete cluster[other];
      }
    });
  } else fail(`(fake): unknown command ${command}`);
}
