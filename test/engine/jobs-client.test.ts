import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOB_MARKS } from '../../sidecar/contract/jobs.ts';
import type { BrokerProcess } from '../helpers/broker-process.ts';
import { BUILD_MS, type JobsPlace, jobsPlace } from '../helpers/jobs-place.ts';

/**
 * The commands of the desktop, as Scipion calls them, with a real broker and API server. The kubelet is played: it runs the
 * entry point of a job's pod here. Everything is at the paths of the pod, in mount namespaces of its own.
 */

const LIB = fileURLToPath(new URL('../../desktop/lib', import.meta.url));
const ROOT = mkdtempSync(join(tmpdir(), 'jobs-client-'));
const PROJECT = join(ROOT, 'mnt', 'vol-project', 'demo');
let place: JobsPlace;
let broker: BrokerProcess;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** In the desktop: its folders at their places, Python without what is installed here. */
function inside(cwd: string, argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const mounts = [
    `mount --bind ${ROOT}/mnt /mnt`,
    `mount --bind ${ROOT}/run /run`,
    `cd ${cwd}`,
    'exec "$@"',
  ].join(' && ');
  return new Promise((resolve) => {
    execFile(
      'unshare',
      ['--user', '--map-root-user', '--mount', 'sh', '-c', mounts, 'sh', ...argv],
      {
        env: {
          PATH: process.env.PATH ?? '',
          HOME: join(ROOT, 'home'),
          PYTHONPATH: LIB,
          PYTHONDONTWRITEBYTECODE: '1',
          ...env,
        },
      },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
        resolve({ code, out: out.trim(), err: err.trim() });
      },
    );
  });
}

const python = (code: string, ...args: string[]) => ['python3', '-c', code, ...args];
const client = (...args: string[]) =>
  python('import sys; from scipion_desktop.job_client import main; sys.exit(main(sys.argv[1:]))', ...args);
const IN_PROJECT = '/mnt/vol-project/demo';

const ACTIVE = 'from scipion_desktop.job_client import count_active; print(count_active())';
const SUBMIT = ['submit', '--class', 'small', '--name', '12', '--logs', 'Runs/12/logs/12', '--cpus', '1'];

function script(name: string, text: string): string {
  const path = join('Runs/12/logs', name);
  writeFileSync(join(PROJECT, path), `#!/bin/sh\n${text}\n\n`);
  return path;
}

/** Runs the pod of a job. */
async function playPod(id: string): Promise<Ended> {
  const pod = await place.podOf(id);
  const startedAt = new Date().toISOString();
  await place.setPod(id, { running: { startedAt } });
  const [request, words] = [join(ROOT, `request-${id}`), join(ROOT, `words-${id}`)];
  writeFileSync(request, pod.metadata.annotations[JOB_MARKS.request] ?? '');
  const ended = await inside('/', ['python3', '-m', 'scipion_desktop.job_run', request, words]);
  await place.setPod(id, {
    terminated: {
      exitCode: ended.code,
      message: readFileSync(words, 'utf8'),
      startedAt,
      finishedAt: new Date().toISOString(),
    },
  });
  return ended;
}

beforeAll(async () => {
  mkdirSync(join(PROJECT, 'Runs/12/logs'), { recursive: true });
  mkdirSync(join(ROOT, 'home'));
  mkdirSync(join(ROOT, 'run/scipion'), { recursive: true });
  place = await jobsPlace('jobs-client');
  broker = await place.broker('--socket', join(ROOT, 'run/scipion/jobs.sock'));
}, BUILD_MS);
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
  rmSync(ROOT, { recursive: true, force: true });
});

test('a whole protocol: a number at once, then its status, its files and its end', async () => {
  const submitted = await inside(
    IN_PROJECT,
    client(...SUBMIT, script('a.job', 'echo out; echo "$PLUGIN" >&2; pwd')),
    {
      PLUGIN: 'of the plugin',
      DISPLAY: ':1',
    },
  );
  expect(submitted).toMatchObject({ code: 0, out: expect.stringMatching(/^[1-9]\d{14}$/) });
  const id = submitted.out;
  expect((await inside(IN_PROJECT, client('status', id))).out).toMatch(/^pending ./);
  // Who has jobs is not taken for absent.
  expect((await inside('/', python(ACTIVE), { SCIPION_JOB_CLASSES: '[]' })).out).toBe('1');
  expect((await playPod(id)).code).toBe(0);
  expect(readFileSync(join(PROJECT, 'Runs/12/logs/12.out'), 'utf8')).toBe(`out\n${IN_PROJECT}\n`);
  expect(readFileSync(join(PROJECT, 'Runs/12/logs/12.err'), 'utf8')).toBe('of the plugin\n');
  await broker.until(id, ({ state }) => state === 'ended');
  expect((await inside(IN_PROJECT, client('status', id))).out).toMatch(/^ended /);
  await expect
    .poll(() => broker.lines('account').find(({ job }) => job === id))
    .toMatchObject({ exitCode: 0 });
});

test.each([
  ['fails', 'exit 3', 3],
  ['is ended by a signal', 'kill -9 $$', 137],
  ['succeeds', 'true', 0],
])('a step that %s: the submission waits for it and ends with its code', async (_what, text, code) => {
  const waiting = inside(IN_PROJECT, client(...SUBMIT, '--steps', 'Y', script(`step-${code}.job`, text)));
  let held: { id: string; isHeld: boolean; state: string } | undefined;
  await expect
    .poll(
      async () => {
        const { jobs } = (await broker.ask('GET', '/v1/jobs')).body as { jobs: (typeof held)[] };
        held = jobs.find((job) => job?.isHeld && job.state === 'pending');
        return held;
      },
      { timeout: 20_000 },
    )
    .toBeDefined();
  await playPod(String(held?.id));
  const ended = await waiting;
  expect(ended.code).toBe(code);
  // Scipion takes the first digits for a job that was submitted.
  expect(ended.out).toBe(code === 0 ? held?.id : '');
  if (code !== 0) expect(ended.err).toContain(`ended with code ${code}`);
});

test('a pod that is told to end tells all programs of its job, and waits for their last words', async () => {
  const program = [
    "(trap 'sleep 1; echo last words; exit' TERM; touch Runs/12/ready; for i in $(seq 300); do sleep 0.1; done) &",
    'while [ ! -e Runs/12/ready ]; do sleep 0.1; done',
    'kill -TERM $PPID; wait',
  ].join('\n');
  const { out: id } = await inside(IN_PROJECT, client(...SUBMIT, script('told.job', program)));
  expect((await playPod(id)).code).toBe(143);
  expect(readFileSync(join(PROJECT, 'Runs/12/logs/12.out'), 'utf8')).toMatch(/^last words$/m);
});

test('what cannot start says so where the run is looked at', async () => {
  const submitted = await inside(IN_PROJECT, client(...SUBMIT, script('gone.job', 'true')));
  rmSync(join(PROJECT, 'Runs/12/logs/gone.job'));
  expect((await playPod(submitted.out)).code).not.toBe(0);
  expect(readFileSync(join(PROJECT, 'Runs/12/logs/12.err'), 'utf8')).toMatch(/gone\.job/);
});

describe('the status is never empty, and "ended" only where that is certain', () => {
  test.each(['123456789012345', '1', '; rm -rf /', ''])('of %j, which is no job here', async (number) => {
    const { code, out } = await inside(IN_PROJECT, client('status', number));
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^lost: /) });
  });

  test('nor is an instance without a broker taken for one without jobs', async () => {
    expect((await inside('/', python(ACTIVE))).out).toBe('0');
    rmSync(join(ROOT, 'run/scipion/jobs.sock'));
    const { code, out } = await inside(IN_PROJECT, client('status', '123456789012345'));
    expect((await inside('/', python(ACTIVE), { SCIPION_JOB_CLASSES: '[]' })).code).not.toBe(0);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^running, as far as is known: /) });
    await broker.kill();
  });
});

test('a refusal is a sentence, and no number', async () => {
  const refused = await inside(IN_PROJECT, client('submit', '--class', 'huge', script('b.job', 'true')));
  expect(refused).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('There is no class of jobs "huge"'),
  });
  const elsewhere = await inside('/tmp', client('submit', '--class', 'small', '/bin/true'));
  expect(elsewhere).toMatchObject({ code: 1, out: '', err: expect.stringContaining('/mnt/vol-project') });
});

test('without a class it has the first one of the site', async () => {
  const { out: id } = await inside(IN_PROJECT, client('submit', '--class', '', script('d.job', 'true')), {
    SCIPION_JOB_CLASSES: '[{"name":"large"},{"name":"small"}]',
  });
  expect((await broker.ask('GET', `/v1/jobs/${id}`)).body).toMatchObject({ class: 'large' });
});

test('cancelled, a job has ended', async () => {
  const { out: id } = await inside(IN_PROJECT, client(...SUBMIT, script('c.job', 'sleep 60')));
  await place.podOf(id);
  expect((await inside(IN_PROJECT, client('cancel', id))).code).toBe(0);
  await broker.until(id, ({ state }) => state === 'ended');
  expect((await inside(IN_PROJECT, client('status', id))).out).toMatch(/^ended It was cancelled/);
});

describe('the queues that Scipion offers', () => {
  const write =
    'from scipion_desktop import queues; import os, pathlib, sys; queues.prepare(pathlib.Path(sys.argv[1])); print(os.environ.get("SCIPION_HOSTS"))';

  test('are the classes, with their limits', async () => {
    const target = join(ROOT, 'hosts.conf');
    const classes = [{ name: 'small', description: 'On the CPU', cpus: 2, memory: '4Gi', hours: 24 }];
    const { out } = await inside('/', python(write, target), {
      SCIPION_JOB_CLASSES: JSON.stringify(classes),
    });
    expect(out).toBe(target);
    const text = readFileSync(target, 'utf8');
    const queues = JSON.parse(/^QUEUES = (.*)$/m.exec(text)?.[1] ?? '') as Record<string, string[][]>;
    expect(Object.keys(queues)).toEqual(['small']);
    expect(queues.small?.map(([name, value]) => [name, value])).toEqual([
      ['JOB_CPUS', '2'],
      ['JOB_MEMORY', '4096'],
      ['JOB_TIME', '24'],
      ['QUEUE_FOR_JOBS', 'N'],
    ]);
    expect(JSON.parse(/^QUEUES_DEFAULT = (.*)$/m.exec(text)?.[1] ?? '')).toEqual({
      JOB_CPUS: '2',
      JOB_MEMORY: '4096',
      JOB_TIME: '24',
      QUEUE_FOR_JOBS: 'N',
    });
    const given = new Set([...text.matchAll(/%_\((\w+)\)/g)].map(([, name]) => name));
    const ofScipion = [
      'JOB_NODES',
      'COMMAND',
      'JOB_QUEUE',
      'JOB_NAME',
      'JOB_LOGS',
      'JOB_SCRIPT',
      'JOB_COMMAND',
      'JOB_ID',
    ];
    expect([...given].toSorted()).toEqual(
      [...ofScipion, ...(queues.small ?? []).map(([name]) => name)].toSorted(),
    );
  });

  test('are none without classes', async () => {
    const target = join(ROOT, 'none.conf');
    expect((await inside('/', python(write, target))).out).toBe('None');
    const image = readFileSync(join(LIB, '../config/hosts.conf'), 'utf8');
    // Without a NAME pyworkflow reads no queue.
    expect(image).not.toMatch(/^NAME|^SUBMIT|^QUEUES/m);
  });
});
