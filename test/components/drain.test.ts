import { describe, expect, test } from 'vitest';
import type { Cluster, ExecResult } from '../../components/cluster.ts';
import { drain, refuseWhileInUse } from '../../components/drain.ts';
import { decideDrain, exitMeaning, type InstanceState } from '../../components/drain-decision.ts';
import { DRAINED_ANNOTATION } from '../../components/manifests/metadata.ts';
import { EXIT_CODES } from '../../sidecar/contract/exit-codes.ts';

const EARLIER = new Date('2030-01-01T00:00:00Z');
const LATER = new Date('2030-01-01T00:05:00Z');

const claim = (phase = 'Bound', annotations = {}) => ({
  metadata: { annotations },
  spec: { volumeName: 'pv-1' },
  status: { phase },
});
const status = (name: string, state: object, restartCount = 0) => ({
  name,
  state,
  restartCount,
  image: '',
  imageID: '',
  ready: false,
});
const pod = (...statuses: ReturnType<typeof status>[]) => ({
  metadata: { creationTimestamp: EARLIER },
  status: { phase: 'Pending', initContainerStatuses: statuses },
});
const waiting = { waiting: { reason: 'ImagePullBackOff' } };
const running = { running: {} };
const notStarted = pod(status('prepare-volumes', waiting), status('sync', waiting));
const started = pod(status('prepare-volumes', { terminated: { exitCode: 0 } }), status('sync', running));
const crashed = pod(status('prepare-volumes', waiting, 2), status('sync', waiting));

const state = (changes: Partial<InstanceState>): InstanceState => ({
  statefulSet: { spec: { replicas: 1, selector: {}, template: {}, serviceName: 'scipion' } },
  pod: undefined,
  claim: claim(),
  volume: { metadata: { creationTimestamp: EARLIER } },
  ...changes,
});
const replicas = (count: number) => ({
  spec: { replicas: count, selector: {}, template: {}, serviceName: 'scipion' },
});

describe('what a removal must do first', () => {
  test.each<[string, Partial<InstanceState>, object]>([
    ['a running sync is drained', { pod: started }, { kind: 'drain' }],
    ['no claim: nothing was ever there', { claim: undefined }, { kind: 'nothing-to-save' }],
    [
      'a claim without volume: nothing was ever written',
      { claim: claim('Pending') },
      { kind: 'nothing-to-save' },
    ],
    [
      'a pod that never ran, on a volume made for it',
      { pod: notStarted, volume: { metadata: { creationTimestamp: LATER } } },
      { kind: 'nothing-to-save' },
    ],
    [
      'a pod that does not start on an older volume may have work there',
      { pod: { ...notStarted, metadata: { creationTimestamp: LATER } } },
      { kind: 'wait', reason: 'container prepare-volumes waits: ImagePullBackOff' },
    ],
    [
      'a pod that does not start on a volume that may not be looked at',
      { pod: notStarted, volume: undefined },
      { kind: 'wait' },
    ],
    [
      'a pod that ran and fails now',
      { pod: crashed, volume: { metadata: { creationTimestamp: LATER } } },
      { kind: 'wait' },
    ],
    [
      'a running sync is drained, also where the volume object or its claim was deleted under it',
      { pod: started, claim: claim('Lost') },
      { kind: 'drain' },
    ],
    ['a running sync without a claim', { pod: started, claim: undefined }, { kind: 'drain' }],
    ['a claim that lost its volume once held work', { claim: claim('Lost') }, { kind: 'refuse' }],
    ['a paused instance is started', { statefulSet: replicas(0) }, { kind: 'start' }],
    [
      'a pod that is on its way',
      { statefulSet: replicas(1) },
      { kind: 'wait', reason: 'pod scipion-0 is not there yet' },
    ],
    [
      'without StatefulSet nothing can be proven',
      { statefulSet: undefined },
      { kind: 'refuse', reason: 'StatefulSet scipion is gone, so nothing can read the project volume' },
    ],
    [
      'a second attempt after a successful drain',
      { statefulSet: undefined, claim: claim('Bound', { [DRAINED_ANNOTATION]: '2030-01-01T00:00:00Z' }) },
      { kind: 'nothing-to-save', reason: 'it was all saved at 2030-01-01T00:00:00Z, before the pod ended' },
    ],
    [
      'an old drain proves nothing without StatefulSet: it may have been opened again since',
      { statefulSet: undefined, claim: claim('Bound', { [DRAINED_ANNOTATION]: '2029-12-31T00:00:00Z' }) },
      { kind: 'refuse', reason: expect.stringContaining('it may have been worked in since') },
    ],
    [
      'a drain of another day proves nothing while the instance is there',
      { claim: claim('Bound', { [DRAINED_ANNOTATION]: '2030-01-01T00:00:00Z' }) },
      { kind: 'wait' },
    ],
  ])('%s', (_name, changes, decision) => expect(decideDrain(state(changes), LATER)).toMatchObject(decision));
});

/** A cluster of recorded answers; what is called in vain fails the test. */
function cluster(states: Partial<InstanceState>[], results: ExecResult[] = []) {
  const calls: string[] = [];
  let look = -1;
  const now = () => state(states[Math.min(Math.max(look, 0), states.length - 1)] ?? {});
  const fake: Cluster = {
    statefulSet: async () => {
      look += 1;
      return now().statefulSet;
    },
    pod: async () => now().pod,
    claim: async () => now().claim,
    volume: async () => now().volume,
    namespace: async () => undefined,
    scale: async (_namespace, _name, count) => void calls.push(`scale to ${count}`),
    endPod: async (_namespace, name, seconds) => void calls.push(`end ${name} within ${seconds} s`),
    annotateClaim: async (_namespace, name, annotations) =>
      void calls.push(`annotate ${name} ${Object.keys(annotations).join()}`),
    exec: async ({ namespace, pod: name, container, command }, onLine) => {
      calls.push(`exec ${namespace}/${name}/${container}: ${command.join(' ')}`);
      onLine('final save: 3 of 7 files');
      return results.shift() ?? { kind: 'lost', reason: 'socket hang up' };
    },
  };
  return { fake, calls };
}

async function runDrain(states: Partial<InstanceState>[], results: ExecResult[] = [], discard = false) {
  const { fake, calls } = cluster(states, results);
  const lines: string[] = [];
  const error = await drain('jane', {
    stack: 'jane',
    discardUnsavedChanges: discard,
    connect: () => fake,
    log: (line) => void lines.push(line),
    pollSeconds: 0.001,
    startTimeoutSeconds: 0.002,
    endTimeoutSeconds: 0.002,
  }).then(
    () => undefined,
    (thrown: Error) => thrown.message,
  );
  return { calls, lines, error };
}

const done: ExecResult = { kind: 'exit', code: 0, stderr: '' };
const EXEC = 'exec jane/scipion-0/sync: /usr/local/bin/sync drain';
const ANNOTATE = `annotate scipion-project ${DRAINED_ANNOTATION}`;

describe('the drain hook', () => {
  test('saves through the API server, shows the progress and leaves a mark', async () => {
    const { calls, lines, error } = await runDrain([{ pod: started }], [done]);
    expect({ calls, error }).toEqual({ calls: [EXEC, ANNOTATE], error: undefined });
    expect(lines).toEqual(['Instance jane: final save: 3 of 7 files', 'Instance jane: everything is saved.']);
  });

  test('fails with the cause and what to do when the save fails', async () => {
    const failed: ExecResult = {
      kind: 'exit',
      code: EXIT_CODES.notPermitted,
      stderr: 'token expired on 2030-01-01',
    };
    const { calls, error } = await runDrain([{ pod: started }], [failed]);
    expect(calls).toEqual([EXEC]);
    expect(error).toBe(
      [
        'The work of the instance in namespace jane could not be saved: `sync drain` ended with code 12, Onedata does not accept the token (token expired on 2030-01-01).',
        'Nothing was removed. What to do: fix the cause (a new token:',
        'pulumi config set --secret scipion:projectToken --stack jane, then pulumi up --stack jane), then remove again.',
        'To remove it and lose what is not saved:',
        'pulumi config set scipion:discardUnsavedChanges true --stack jane',
      ].join('\n'),
    );
  });

  test('takes up a broken connection again', async () => {
    const { calls, error } = await runDrain(
      [{ pod: started }],
      [{ kind: 'lost', reason: 'socket hang up' }, done],
    );
    expect({ calls, error }).toEqual({ calls: [EXEC, EXEC, ANNOTATE], error: undefined });
  });

  test('gives up on a connection that always breaks, and never takes that for saved', async () => {
    const { calls, error } = await runDrain([{ pod: started }]);
    expect(new Set(calls)).toEqual(new Set([EXEC]));
    expect(error).toContain('no connection to sync, socket hang up');
  });

  test('starts a paused instance to save it', async () => {
    const { calls, error } = await runDrain([{ statefulSet: replicas(0) }, { pod: started }], [done]);
    expect({ calls, error }).toEqual({ calls: ['scale to 1', EXEC, ANNOTATE], error: undefined });
  });

  test('refuses when sync does not run on a volume that may hold work', async () => {
    const { calls, error } = await runDrain([{ pod: crashed }]);
    expect(calls).toEqual([]);
    expect(error).toContain('sync does not run, container prepare-volumes waits: ImagePullBackOff');
  });

  test('removes what never started', async () => {
    const { calls, error } = await runDrain([{ claim: claim('Pending'), pod: notStarted }]);
    expect({ calls, error }).toEqual({ calls: [], error: undefined });
  });

  test('asks nobody where the loss is accepted, and does not wait for a save that cannot end', async () => {
    const { calls, lines, error } = await runDrain([{ pod: undefined }], [], true);
    // The other way round the kubelet may begin with the long grace, and never hears of the short one.
    const ended = ['end scipion-0 within 30 s', 'scale to 0'];
    expect({ calls, error }).toEqual({ calls: ended, error: undefined });
    expect(lines).toEqual(['Instance jane: no final save, as scipion:discardUnsavedChanges is true.']);
  });

  test('breaks a last save off that outlives the short grace, since the pod was ended before', async () => {
    const { calls, error } = await runDrain([{ pod: started }], [done], true);
    expect(calls.at(-1)).toBe('exec jane/scipion-0/sync: sh -c kill -USR2 1');
    expect(error).toBeUndefined();
  });
});

test('every failure of the sync command has a sentence of its own', () => {
  const codes = Object.values(EXIT_CODES).filter((code) => code !== EXIT_CODES.done);
  const sentences = codes.map(exitMeaning);
  expect(new Set(sentences).size).toBe(codes.length);
  expect(sentences).not.toContain(exitMeaning(255));
});

describe('volumes and namespace under an instance', () => {
  test('are not replaced', async () => {
    const { fake } = cluster([{ statefulSet: replicas(0) }]);
    await expect(
      refuseWhileInUse('PersistentVolumeClaim jane/scipion-project', 'jane', 'jane', () => fake),
    ).rejects.toThrow(
      'PersistentVolumeClaim jane/scipion-project is not replaced, since the instance in namespace jane still uses it',
    );
  });

  test('go once the instance is gone', async () => {
    const { fake } = cluster([{ statefulSet: undefined }]);
    await expect(refuseWhileInUse('Namespace jane', 'jane', 'jane', () => fake)).resolves.toBeUndefined();
  });
});
