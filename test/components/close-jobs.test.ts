import { describe, expect, test } from 'vitest';
import { closeJobs } from '../../components/close-jobs.ts';
import type { Cluster, ExecResult } from '../../components/cluster.ts';
import { drain } from '../../components/drain.ts';
import { EXIT_CODES } from '../../sidecar/contract/exit-codes.ts';

/** What the hooks of a removal and of a pause ask of the pod of an instance with jobs. */

const POD = {
  metadata: {},
  status: { initContainerStatuses: [{ name: 'sync', state: { running: {} }, restartCount: 0 }] },
};

function clusterWith(pod: object | undefined, ...results: ExecResult[]) {
  const commands: (readonly string[])[] = [];
  const cluster = {
    pod: async () => pod,
    statefulSet: async () => ({ spec: { replicas: 1 } }),
    claim: async () => ({ metadata: {}, spec: {}, status: { phase: 'Bound' } }),
    volume: async () => undefined,
    annotateClaim: async () => undefined,
    exec: async ({ command }: { command: readonly string[] }) => {
      commands.push(command);
      return results.shift() ?? { kind: 'exit', code: 0, stderr: '' };
    },
  } as unknown as Cluster;
  const said: string[] = [];
  const shared = {
    discardUnsavedChanges: false,
    connect: () => cluster,
    log: (line: string) => void said.push(line),
    pollSeconds: 0,
  };
  return { commands, said, shared };
}
const WAIT = { choice: 'wait', waitSeconds: 7200 } as const;
const REFUSE = { choice: 'refuse', waitSeconds: 3600 } as const;

describe('a removal', () => {
  test.each([
    [WAIT, ['--jobs', 'wait', '--jobs-wait', '7200']],
    // What a pod of an older version does, too.
    [REFUSE, []],
  ])('hands on what is done with jobs: %j', async (jobs, more) => {
    const { commands, shared } = clusterWith(POD);
    await drain('jane', { ...shared, stack: 'demo', jobs });
    expect(commands).toEqual([['/usr/local/bin/sync', 'drain', ...more]]);
  });
});

describe('a pause', () => {
  test('closes the jobs in the pod that is about to end', async () => {
    const { commands, shared } = clusterWith(POD);
    await closeJobs('jane', { ...shared, jobs: WAIT });
    expect(commands).toEqual([
      ['/usr/local/bin/sync', 'close-jobs', '--jobs', 'wait', '--jobs-wait', '7200'],
    ]);
  });

  test('is refused in the words of sync while jobs run', async () => {
    const stderr = '1 job of the instance has not ended';
    const { shared } = clusterWith(POD, { kind: 'exit', code: EXIT_CODES.failed, stderr });
    await expect(closeJobs('jane', { ...shared, jobs: REFUSE })).rejects.toThrow(
      /jane is not paused: 1 job of the instance has not ended/,
    );
  });

  test('connects again where the connection breaks, and gives up after a while', async () => {
    const broken: ExecResult = { kind: 'lost', reason: 'reset' };
    const once = clusterWith(POD, broken);
    await closeJobs('jane', { ...once.shared, jobs: WAIT });
    expect(once.commands).toHaveLength(2);
    const always = clusterWith(POD, ...Array.from({ length: 30 }, () => broken));
    await expect(closeJobs('jane', { ...always.shared, jobs: WAIT })).rejects.toThrow(
      /no connection to sync, reset/,
    );
  });

  test.each<[string, object | undefined, ExecResult[], RegExp]>([
    ['no pod', undefined, [], /sync does not run/],
    [
      'a pod of an older version',
      POD,
      [{ kind: 'exit', code: EXIT_CODES.usage, stderr: '' }],
      /older version/,
    ],
  ])('of %s goes on, and says what is not saved', async (_what, pod, results, sentence) => {
    const { said, shared } = clusterWith(pod, ...results);
    await closeJobs('jane', { ...shared, jobs: WAIT });
    expect(said.join()).toMatch(sentence);
    expect(said.join()).toContain('saved after the next start');
  });
});
