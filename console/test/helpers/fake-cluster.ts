import type { InstanceCluster, InstanceObjects } from '../../../components/cluster-client.ts';
import { EMPTY_TRANSFER, type SyncStatus } from '../../../sidecar/contract/status.ts';

/** A cluster of which only the looks are there. */
export interface FakeCluster {
  readonly open: () => InstanceCluster;
  /** Namespace → what runs there. */
  readonly states: Map<string, 'running' | 'starting' | 'paused'>;
  /** What `sync` of a namespace says. */
  readonly syncs: Map<string, Partial<SyncStatus>>;
  readonly asked: { listings: number; looks: number };
  /** Namespace → key of the gateway's sessions. */
  readonly sessionKeys: Map<string, string>;
  /** Commands of `sync`, other than looks: `namespace: save`. */
  readonly commands: string[];
  /** Namespaces where `sync` does not do what it is asked to. */
  readonly refusing: Set<string>;
}

const DONE = {
  ...EMPTY_TRANSFER,
  state: 'done',
  filesDone: 12,
  filesTotal: 12,
  bytesDone: 48e6,
  bytesTotal: 48e6,
} as const;

export const SAVED: SyncStatus = {
  phase: 'running',
  ready: true,
  source: DONE,
  project: DONE,
  save: {
    lastSavedAt: new Date(Date.now() - 180_000).toISOString(),
    lastSaveDurationSeconds: 1,
    generation: 6,
    unsavedChanges: true,
    nextSaveAt: null,
    lastError: null,
  },
  problems: [],
  volumes: {
    source: { freeBytes: 12e9, totalBytes: 100e9 },
    project: { freeBytes: 41e9, totalBytes: 50e9 },
  },
  tokenExpiresAt: { source: null, project: new Date(Date.now() + 30 * 3_600_000).toISOString() },
};

const POD = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };

export function fakeCluster(): FakeCluster {
  const states: FakeCluster['states'] = new Map();
  const syncs: FakeCluster['syncs'] = new Map();
  const sessionKeys: FakeCluster['sessionKeys'] = new Map();
  const commands: string[] = [];
  const refusing = new Set<string>();
  const asked = { listings: 0, looks: 0 };
  const objectsOf = (namespace: string): InstanceObjects => {
    const state = states.get(namespace);
    if (state === undefined) return {};
    const metadata = { creationTimestamp: new Date('2026-10-01T08:00:00Z') };
    const statefulSet = { metadata, spec: { replicas: state === 'paused' ? 0 : 1 } } as never;
    if (state === 'paused') return { statefulSet };
    return { statefulSet, pod: (state === 'running' ? POD : { status: { phase: 'Pending' } }) as never };
  };
  const cluster = {
    instances: async () => {
      asked.listings += 1;
      return new Map([...states.keys()].map((namespace) => [namespace, objectsOf(namespace)]));
    },
    statefulSet: async (namespace: string) => {
      asked.looks += 1;
      return objectsOf(namespace).statefulSet;
    },
    pod: async (namespace: string) => objectsOf(namespace).pod,
    secretValue: async (namespace: string) => sessionKeys.get(namespace),
    warnings: async () => ['FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.'],
    exec: async (
      { namespace, command }: { namespace: string; command: readonly string[] },
      onLine: (line: string) => void,
    ) => {
      const isSave = command.includes('save');
      if (!command.includes('status')) {
        commands.push(`${namespace}: ${command.slice(1).join(' ')}`);
        if (refusing.has(namespace)) return { kind: 'exit', code: 1, stderr: 'the space is full' };
      }
      onLine(
        JSON.stringify(
          isSave ? { saved: true, changes: 3, generation: 7 } : { ...SAVED, ...syncs.get(namespace) },
        ),
      );
      return { kind: 'exit', code: 0, stderr: '' };
    },
  };
  return { open: () => cluster as never, states, syncs, asked, sessionKeys, commands, refusing };
}
