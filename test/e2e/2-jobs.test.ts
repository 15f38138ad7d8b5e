import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { INSTANCE_SPACES } from '../../emulators/onedata/configuration.ts';
import { network } from '../../local/cluster/layout.ts';
import { JOB_MARKS } from '../../sidecar/contract/jobs.ts';
import { launchBrowser, login, openPage, screenshot, waitForDesktop } from '../helpers/browser.ts';
import { inspectProject, saveRuns, shownWindows, syncStatus, windowTitles } from './desktop.ts';
import { ScipionWindows } from './scipion-windows.ts';
import { spaceTree } from './spaces.ts';
import {
  ARTIFACTS,
  emulator,
  eventually,
  inContainer,
  kube,
  kubeNamespaces,
  local,
  NAMESPACE,
  POD,
} from './world.ts';

/**
 * Protocols of Scipion as Jobs, as their user lets them run: by clicks in Scipion's own windows. One job at a time has room on
 * a machine of two processors.
 */

const PROJECT = 'cluster';
const PLAIN = 'import';
/** Go on until they are told that there will be no more files. */
const [STOPPED, KEPT] = ['watch and stop', 'watch on'];

let browser: Browser;
let page: Page;
let windows: ScipionWindows;
/** Folder of each run, by label. */
let places: Readonly<Record<string, string>>;

const jobSchema = z.object({
  metadata: z.object({
    name: z.string(),
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ template: z.object({ metadata: z.looseObject({}), spec: z.looseObject({}) }) }),
  status: z.object({
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    succeeded: z.number().default(0),
  }),
});
type Job = z.infer<typeof jobSchema>;

const podSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({ phase: z.string() }),
});
type Pod = z.infer<typeof podSchema>;

async function listed<T>(what: string, selector: string, schema: z.ZodType<T>): Promise<T[]> {
  const text = await kube(['get', what, '--selector', selector, '--output', 'json']);
  return z.object({ items: z.array(schema) }).parse(JSON.parse(text)).items;
}

/** Scipion's number of a run is in the name of its folder, and is the name of its job. */
const numberOf = (label: string) => String(Number(/Runs\/(\d+)_/.exec(places[label] ?? '')?.[1]));

async function jobsOf(label: string): Promise<Job[]> {
  const all = await listed('jobs', JOB_MARKS.id, jobSchema);
  return all.filter(({ metadata }) => metadata.annotations[JOB_MARKS.name] === numberOf(label));
}

const podsOf = (jobName: string): Promise<Pod[]> =>
  listed('pods', `batch.kubernetes.io/job-name=${jobName}`, podSchema);

const hasCondition = ({ status }: Job, type: string) =>
  status.conditions.some((each) => each.type === type && each.status === 'True');

/** The one job of a run, once its pod has started. */
function running(label: string): Promise<{ readonly job: Job; readonly pod: Pod }> {
  return eventually(`the pod of the run "${label}"`, 120, async () => {
    const [job] = await jobsOf(label);
    const [pod] = job === undefined ? [] : await podsOf(job.metadata.name);
    return job !== undefined && pod?.status.phase === 'Running' ? { job, pod } : undefined;
  });
}

const logOf = (label: string) => inContainer('desktop', ['cat', `${places[label]}/logs/run.stdout`]);

const projectsWindow = () =>
  eventually('the projects window', 120, async () =>
    (await windowTitles()).join().includes('Projects') ? true : undefined,
  );

beforeAll(async () => {
  await (await emulator()).clear(INSTANCE_SPACES.project);
  browser = await launchBrowser();
  page = await openPage(browser);
  windows = new ScipionWindows(page, shownWindows);
});

afterAll(async () => {
  if (page !== undefined) await screenshot(page, ARTIFACTS, '2-jobs-end');
  await browser?.close();
});

test('an instance with jobs is made by one word more', async () => {
  const created = await local(['up', '--jobs', '--no-console']);
  expect(created.output).toContain('Scipion is running.');
  expect(created.exitCode).toBe(0);
  await eventually('the desktop', 120, async () => ((await syncStatus()).ready ? true : undefined));
  await projectsWindow();
  places = await saveRuns(PROJECT, [PLAIN, STOPPED, KEPT]);
  const url = /https:\S+/.exec(created.output)?.[0] ?? '';
  await login(page, url, (await local(['password'])).output.trim());
  await waitForDesktop(page, 120_000);
  await windows.openProject(PROJECT, PLAIN);
});

test('a protocol goes through the queue by clicks, and runs as one Job to its end', async () => {
  await windows.submit(PROJECT, PLAIN, 'small');
  await windows.until(PROJECT, PLAIN, 'finished');
  await screenshot(page, ARTIFACTS, '2-jobs-finished');
  const jobs = await eventually('the end of the job', 60, async () => {
    const found = await jobsOf(PLAIN);
    return found.every((job) => hasCondition(job, 'Complete')) ? found : undefined;
  });
  expect(jobs).toHaveLength(1);
  const name = jobs[0]?.metadata.name ?? '';
  expect(jobs[0]).toMatchObject({
    metadata: { labels: { [JOB_MARKS.class]: 'small' } },
    status: { succeeded: 1 },
  });
  const pods = await podsOf(name);
  expect(pods).toMatchObject([{ spec: { nodeName: network.nodeName }, status: { phase: 'Succeeded' } }]);
  // Its own words, on the project volume: it ran there.
  const said = await logOf(PLAIN);
  expect(said).toContain(`Hostname: ${pods[0]?.metadata.name}`);
  expect(said).toContain('PROTOCOL FINISHED');
  const owners = await inContainer('desktop', ['find', places[PLAIN] ?? '', '-printf', '%U:%G\\n']);
  expect(new Set(owners.trim().split('\n'))).toEqual(new Set(['1000:1000']));
  expect((await inspectProject(PROJECT)).runs[PLAIN]).toBe('finished');
});

test('a job starts about as fast as the same pod by kubectl', async () => {
  const script = '/mnt/vol-project/short.sh';
  await inContainer('desktop', ['tee', script], 'exec sleep 2\n');
  const inProject = [
    'sh',
    '-c',
    `cd /mnt/vol-project && scipion-job submit --class small --name short ${script}`,
  ];
  let begin = performance.now();
  const number = (await inContainer('desktop', inProject)).trim();
  const name = `scipion-job-${number}`;
  const brokered = await secondsToStart(name, begin);
  await ended(name);

  const job = jobSchema.parse(JSON.parse(await kube(['get', 'job', name, '--output', 'json'])));
  const { metadata, spec } = job.spec.template;
  const plain = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'plain' },
    spec: { backoffLimit: 0, template: { metadata: { annotations: metadata.annotations }, spec } },
  };
  begin = performance.now();
  await kube(['create', '--filename', '-'], JSON.stringify(plain));
  const byHand = await secondsToStart('plain', begin);
  await ended('plain');
  // It belongs to nobody, and its pod would keep the volumes from being removed.
  await kube(['delete', 'job', 'plain']);
  console.log(
    `submit to running pod: ${brokered.toFixed(1)} s through the broker, ${byHand.toFixed(1)} s by kubectl create`,
  );
  // 3 s more on an idle machine; this one may do anything else beside.
  expect(brokered).toBeLessThan(3 * byHand + 15);
});

async function secondsToStart(jobName: string, begin: number): Promise<number> {
  await eventually(`the pod of ${jobName}`, 120, async () => {
    const [pod] = await podsOf(jobName);
    return pod !== undefined && pod.status.phase !== 'Pending' ? true : undefined;
  });
  return (performance.now() - begin) / 1000;
}

const ended = (jobName: string) =>
  kube(['wait', `job/${jobName}`, '--for=condition=Complete', '--timeout=120s']);

test('Stop cancels the job of a run, and its pod is gone', async () => {
  await windows.submit(PROJECT, STOPPED, 'large');
  const { job } = await running(STOPPED);
  await windows.until(PROJECT, STOPPED, 'running');
  await windows.stop(PROJECT, STOPPED);
  const id = job.metadata.labels[JOB_MARKS.id] ?? '';
  await eventually('the end of the job', 90, async () => {
    const said = await inContainer('desktop', ['scipion-job', 'status', id]);
    return said.startsWith('ended It was cancelled') ? true : undefined;
  });
  const pods = await podsOf(job.metadata.name);
  expect(pods.filter(({ status }) => ['Pending', 'Running'].includes(status.phase))).toEqual([]);
  expect((await inspectProject(PROJECT)).runs[STOPPED]).toBe('aborted');
});

test('a killed desktop leaves its job running, and finds it again', async () => {
  await windows.submit(PROJECT, KEPT);
  const { job, pod } = await running(KEPT);
  expect(job.metadata.labels[JOB_MARKS.class]).toBe('small');
  await windows.until(PROJECT, KEPT, 'running');
  // The session's process is all that its container waits for.
  await inContainer('desktop', ['pkill', '-KILL', '-f', 'python3 /usr/local/bin/desktop-session']).catch(
    () => '',
  );
  const restarts = 'jsonpath={.status.containerStatuses[0].restartCount}';
  await eventually('another container of the desktop', 60, async () =>
    (await kube(['get', 'pod', POD, '--output', restarts])) === '1' ? true : undefined,
  );
  await projectsWindow();
  expect((await inspectProject(PROJECT)).runs[KEPT]).toBe('running');
  expect(await podsOf(job.metadata.name)).toMatchObject([
    { metadata: { uid: pod.metadata.uid }, status: { phase: 'Running' } },
  ]);
});

test('a removal is refused while a job runs, and says so', async () => {
  const refused = await local(['remove']);
  expect(refused.exitCode).not.toBe(0);
  expect(refused.output).toContain('1 job of the instance has not ended');
  expect(refused.output).toContain('Nothing was removed');
  expect(await kubeNamespaces()).toContain(NAMESPACE);
  const [job] = await jobsOf(KEPT);
  expect(await podsOf(job?.metadata.name ?? '')).toMatchObject([{ status: { phase: 'Running' } }]);
});

test('the run ends as it would have, and the desktop that was killed meanwhile shows it', async () => {
  await waitForDesktop(page, 120_000);
  await projectsWindow();
  await windows.openProject(PROJECT, KEPT);
  await inContainer('desktop', ['touch', `${places[KEPT]}/extra/STOP_STREAMING.TXT`]);
  await windows.until(PROJECT, KEPT, 'finished');
  expect((await inspectProject(PROJECT)).runs).toEqual({
    [PLAIN]: 'finished',
    [STOPPED]: 'aborted',
    [KEPT]: 'finished',
  });
});

test('a removal saves what the jobs have written, and leaves none of them', async () => {
  const [job] = await jobsOf(KEPT);
  await ended(job?.metadata.name ?? '');
  const removed = await local(['remove']);
  expect(removed.output).not.toContain('FAILED');
  expect(removed.exitCode).toBe(0);
  expect(await kubeNamespaces()).not.toContain(NAMESPACE);
  const saved = await spaceTree('project');
  for (const label of [PLAIN, STOPPED, KEPT])
    expect(saved.has(`${PROJECT}/${places[label]?.split(`/${PROJECT}/`)[1]}/logs/run.stdout`), label).toBe(
      true,
    );
});
