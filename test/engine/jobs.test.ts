import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOB_MARKS } from '../../sidecar/contract/jobs.ts';
import { systemClock } from '../../sidecar/src/clock.ts';
import { jobIdOf } from '../../sidecar/src/jobs/job-object.ts';
import { JobsGate } from '../../sidecar/src/sync/service/jobs-gate.ts';
import { Lifetime } from '../../sidecar/src/sync/service/lifetime.ts';
import { StatusBoard } from '../../sidecar/src/sync/service/status-board.ts';
import { freePort } from '../helpers/free-port.ts';
import { BUILD_MS, type JobsPlace, jobsPlace, request } from '../helpers/jobs-place.ts';

/** The broker's process against a real API server with Kubernetes' own controller of Jobs; the kubelet is played. */

let place: JobsPlace;

beforeAll(async () => {
  place = await jobsPlace('jobs');
}, BUILD_MS);
afterAll(() => place?.[Symbol.asyncDispose]());

describe('a job', () => {
  test('runs as a pod of the template, and its exit code comes back', async () => {
    await using broker = await place.broker();
    const asked = request({ environment: { PATH: '/opt/relion/bin', ODD: "'; rm -rf / #\n$(id)" } });
    const made = await broker.ask('POST', '/v1/jobs', asked);
    expect(made).toMatchObject({ status: 201, body: { state: 'pending', exitCode: null } });
    const id = String(made.body.id);

    const pod = await place.podOf(id);
    expect(JSON.parse(pod.metadata.annotations[JOB_MARKS.request] ?? '')).toEqual({
      command: asked.command,
      folder: asked.folder,
      environment: asked.environment,
    });
    expect(pod.spec).toMatchObject({
      serviceAccountName: 'scipion-job',
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      containers: [{ command: ['/usr/bin/tini', '--', '/usr/local/bin/run-job'] }],
    });
    expect(JSON.stringify(pod.spec)).not.toContain('rm -rf');

    await place.setPod(id, { running: { startedAt: new Date().toISOString() } });
    await broker.until(id, ({ state }) => state === 'running');
    const usage = JSON.stringify({ cpuSeconds: 12.5, maxMemoryBytes: 1e9 });
    await place.setPod(id, {
      terminated: {
        exitCode: 3,
        message: usage,
        startedAt: '2026-01-01T10:00:00Z',
        finishedAt: '2026-01-01T11:00:00Z',
      },
    });
    const ended = await broker.until(id, ({ state }) => state === 'ended');
    expect(ended).toMatchObject({
      exitCode: 3,
      reason: 'Its command ended with code 3.',
      isCancelled: false,
    });
    await expect.poll(() => broker.lines('account')).toHaveLength(1);
    expect(broker.lines('account')[0]).toMatchObject({
      job: id,
      cpuHoursReserved: 2,
      cpuSeconds: 12.5,
      exitCode: 3,
    });
  });

  test('is cancelled, keeps its object, and is not made again by who asks again', async () => {
    await using broker = await place.broker();
    const asked = request();
    const id = String((await broker.ask('POST', '/v1/jobs', asked)).body.id);
    const startedAt = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+/, '');
    await place.setPod(id, { running: { startedAt } });
    await broker.until(id, ({ state }) => state === 'running');
    expect(await broker.ask('POST', `/v1/jobs/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { isCancelled: true },
    });
    const ended = await broker.until(id, ({ state }) => state === 'ended');
    // Its pod is gone by then, and what it took is accounted for all the same.
    expect(ended).toMatchObject({ exitCode: null, isCancelled: true, startedAt });
    await expect.poll(() => broker.lines('account').filter(({ job }) => job === id)).toHaveLength(1);
    const [account] = broker.lines('account').filter(({ job }) => job === id);
    expect(Number(account?.cpuHoursReserved)).toBeGreaterThanOrEqual(2);
    expect(await broker.ask('POST', '/v1/jobs', asked)).toMatchObject({
      status: 200,
      body: { id, state: 'ended' },
    });
    expect(await broker.ask('POST', `/v1/jobs/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { state: 'ended' },
    });
  });

  test('that somebody waited for is cancelled when nobody does any more', async () => {
    await using broker = await place.broker('--held-for', '3');
    const made = await broker.ask('POST', '/v1/jobs', request({ isHeld: true }));
    const id = String(made.body.id);
    const waiting = await broker.ask('GET', `/v1/jobs/${id}/wait?seconds=5`);
    expect(waiting.body).toMatchObject({ state: 'pending', isCancelled: false });
    const ended = await broker.until(id, ({ isCancelled }) => isCancelled);
    expect(ended.reason).toContain('the program that waited for it is gone');
  });

  test('with the same client id is the same job, and another content is refused', async () => {
    await using broker = await place.broker();
    const asked = request();
    const both = await Promise.all([
      broker.ask('POST', '/v1/jobs', asked),
      broker.ask('POST', '/v1/jobs', asked),
    ]);
    expect(new Set(both.map(({ body }) => body.id)).size).toBe(1);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 201]);
    const other = await broker.ask('POST', '/v1/jobs', { ...asked, name: 'another' });
    expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });
});

test('200 at once, each exactly once, while the broker is killed in between', {
  timeout: 240_000,
}, async () => {
  await place.clear();
  await using broker = await place.broker();
  const all = Array.from({ length: 200 }, (_, index) => request({ name: `many ${index}` }));
  let isOver = false;
  let kills = 0;
  const killing = (async () => {
    while (!isOver && kills < 6) {
      await new Promise((done) => setTimeout(done, 1_200));
      if (isOver) break;
      await broker.kill();
      kills += 1;
    }
  })();
  // Whoever gets no answer asks again, as the client in the desktop does.
  const ids = await Promise.all(all.map((asked) => broker.submitSurely(asked)));
  isOver = true;
  await killing;
  expect(kills).toBeGreaterThan(0);
  expect(new Set(ids)).toEqual(new Set(all.map((asked) => jobIdOf(place.namespace, asked.clientId))));
  await expect.poll(async () => (await place.jobs()).length).toBe(200);
  await expect.poll(async () => (await place.pods()).length, { timeout: 60_000 }).toBe(200);
  const listed = (await broker.ask('GET', '/v1/jobs')).body.jobs as unknown[];
  expect(listed).toHaveLength(200);
  // Half of it is Node's code, which the containers of the pod share.
  expect(broker.peakMebibytes()).toBeLessThan(105);
});

describe('an end of the instance', () => {
  const gateOf = (socket: string) =>
    new JobsGate({
      socket,
      board: new StatusBoard(systemClock),
      lifetime: new Lifetime(systemClock),
      clock: systemClock,
      log: pino({ enabled: false }),
    });

  test('is refused while a job runs, or cancels them all, takes none, and goes on when no pod is left', async () => {
    await place.clear();
    await using broker = await place.broker();
    const submit = () => broker.ask('POST', '/v1/jobs', request());
    const running = String((await submit()).body.id);
    await submit();
    await place.setPod(running, { running: { startedAt: new Date().toISOString() } });
    const gate = gateOf(broker.socket);
    await expect(gate.close({ choice: 'refuse', waitSeconds: 0 })).rejects.toThrow(
      /2 jobs .* have not ended/,
    );
    await expect(gate.close({ choice: 'wait', waitSeconds: 1 })).rejects.toThrow(/have not ended after 1 s/);
    // It was taken back, so jobs are taken.
    expect((await submit()).status).toBe(201);

    await gate.close({ choice: 'cancel', waitSeconds: 100 });
    const left = (await place.pods()) as { status: { phase: string } }[];
    expect(left.filter(({ status }) => !['Succeeded', 'Failed'].includes(status.phase))).toEqual([]);
    expect(await submit()).toMatchObject({ status: 409, body: { code: 'closed' } });
    expect((await broker.ask('GET', `/v1/jobs/${running}`)).body).toMatchObject({
      state: 'ended',
      reason: 'It was cancelled: the instance is removed or paused',
    });
    // A broker that is killed meanwhile takes jobs again; whoever ends the instance sees them.
    await broker.kill();
    expect((await submit()).status).toBe(201);
    await expect(gate.assertIdle()).rejects.toThrow(/1 job of the instance has not ended/);
  });
});

describe('what is told of jobs', () => {
  test('in a summary: how many, and some of them; and in numbers, each ended one once', async () => {
    await place.clear();
    const port = await freePort();
    await using broker = await place.broker('--probes-port', String(port));
    const submit = async (changes: object = {}) =>
      String((await broker.ask('POST', '/v1/jobs', request(changes))).body.id);
    const files = { output: '/mnt/vol-project/demo/a.out', errors: '/mnt/vol-project/demo/a.err' };
    const ended = await submit(files);
    const failed = await submit();
    const cancelled = await submit();
    const waiting = await submit({ output: files.output });
    const now = Date.now();
    const times = (seconds: number) => ({
      startedAt: new Date(now).toISOString(),
      finishedAt: new Date(now + seconds * 1000).toISOString(),
    });
    const message = JSON.stringify({ cpuSeconds: 12.5, maxMemoryBytes: 1e9 });
    await place.setPod(ended, { terminated: { exitCode: 0, message, ...times(3600) } });
    await place.setPod(failed, { terminated: { exitCode: 3, ...times(1800) } });
    await place.podOf(cancelled);
    await broker.ask('POST', `/v1/jobs/${cancelled}/cancel`, { by: 'page' });
    for (const id of [ended, failed, cancelled]) await broker.until(id, ({ state }) => state === 'ended');

    const { body } = await broker.ask('GET', '/v1/summary?shown=2');
    expect(body).toMatchObject({ isClosed: false, running: 0, waiting: 1, ended: 3 });
    const shown = body.jobs as { id: string }[];
    expect(shown.map(({ id }) => id)).toEqual([waiting, ended]);
    expect(shown).toMatchObject([
      {
        why: expect.stringMatching(/no-pod|starting/),
        output: files.output,
        errors: files.output,
        used: null,
      },
      { why: 'done', ...files, used: { cpuSeconds: 12.5, maxMemoryBytes: 1e9 } },
    ]);
    expect((await broker.ask('GET', `/v1/jobs/${cancelled}`)).body).toMatchObject({
      why: 'cancelled',
      reason: 'It was cancelled: somebody asked for it on the page of the instance',
    });
    const numbers = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await expect.poll(numbers).toContain('scipion_jobs_ended_total{result="cancelled"} 1');
    const text = await numbers();
    for (const line of [
      'scipion_jobs{state="waiting"} 1',
      'scipion_jobs{state="running"} 0',
      'scipion_jobs_ended_total{result="failed"} 1',
    ])
      expect(text).toContain(line);
    // Kubernetes' controller may set the end of the cancelled one to a second later; two of two CPUs count here.
    const [, hours] = /scipion_jobs_cpu_hours_reserved_total ([\d.]+)/.exec(text) ?? [];
    expect(Number(hours)).toBeCloseTo(3, 1);
    expect(text).not.toContain('12-3');
  });
});

describe('through the socket is refused', () => {
  const bad = (changes: object) => ({ ...request(), ...changes });
  const P = '/mnt/vol-project';
  test.each<[string, unknown, RegExp]>([
    ['an image', bad({ image: 'evil' }), /image/],
    ['mounts', bad({ volumes: [{ hostPath: { path: '/' } }] }), /volumes/],
    ['a namespace', bad({ namespace: 'kube-system' }), /namespace/],
    ['a security context', bad({ securityContext: { privileged: true } }), /securityContext/],
    ['labels', bad({ labels: { a: 'b' } }), /labels/],
    ['a class that is none', bad({ class: 'huge; rm -rf /' }), /no class of jobs/],
    ['more CPUs than the class', bad({ cpus: 3 }), /at most 2/],
    ['more memory than the class', bad({ memoryMebibytes: 4097 }), /at most 4096/],
    ['more time than the class', bad({ seconds: 86_401 }), /at most 86400/],
    ['a name with shell in it', bad({ name: '$(id)' }), /name/],
    ['a name of many lines', bad({ name: 'a\nb' }), /name/],
    ['a folder outside the project', bad({ folder: '/etc' }), /folder/],
    ['a folder that climbs out', bad({ folder: `${P}/../../etc` }), /folder/],
    ['a folder beside the project', bad({ folder: `${P}-other` }), /folder/],
    ['a script outside', bad({ command: { script: '/bin/sh' } }), /command/],
    ['output elsewhere', bad({ output: '/run/scipion/ready' }), /output/],
    ['a NUL in an argument', bad({ command: { argv: ['a\0b'] } }), /command/],
    ['no program', bad({ command: { argv: [] } }), /command/],
    ['a variable that is none', bad({ environment: { 'A=B': 'c' } }), /environment/],
    ['too much environment', bad({ environment: { A: 'x'.repeat(70_000) } }), /environment/],
    ['an id of another form', bad({ clientId: '../jobs' }), /clientId/],
  ])('%s', async (_what, asked, message) => {
    const answer = await place.shared.ask('POST', '/v1/jobs', asked);
    expect(answer.status).toBe(400);
    expect(answer.body.message).toMatch(message);
  });

  test.each(['../../secrets/x', '1', 'x', '%2e%2e%2fpods', '100000000000000/../..'])(
    'the id %s, which is no job',
    async (id) => {
      const answers = [
        await place.shared.ask('GET', `/v1/jobs/${id}`),
        await place.shared.ask('POST', `/v1/jobs/${id}/cancel`),
      ];
      for (const { status } of answers) expect([400, 404]).toContain(status);
    },
  );

  test('a gigabyte of environment, of which little is read', async () => {
    const before = place.shared.peakMebibytes();
    expect(await place.shared.pour(1_000_000_000)).toBeLessThan(8_000_000);
    expect(place.shared.peakMebibytes() - before).toBeLessThan(20);
  });

  test('10,000 requests at once: some are answered, the others told to wait, and the broker goes on', async () => {
    const answers = await place.shared.flood(10_000);
    expect(answers.refused).toBeGreaterThan(0);
    // What the container may have.
    expect(place.shared.peakMebibytes()).toBeLessThan(128);
    await expect.poll(async () => (await place.shared.ask('GET', '/v1/classes')).status).toBe(200);
  });
});
