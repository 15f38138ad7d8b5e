import type { LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { OWNER_KEY } from '../../automation/fleet/instances.ts';
import type { Report } from '../../automation/tools/progress.ts';
import { DEFAULT_VERSION } from '../../stacks/versions.ts';
import { attachCluster } from '../cluster/index.ts';
import { DEMO_USER } from '../console/files.ts';
import { ensureConsole } from '../console/running.ts';
import { overridesFor, secretsFor, stackOf } from './instance.ts';
import { jobsOverrides } from './jobs.ts';
import { CLUSTER_STATE, NAMESPACE, readInstance, writeInstance } from './machine.ts';
import { meaningLines } from './meaning.ts';
import {
  made,
  type OwnClusterOptions,
  ownClusterSteps,
  ownTarget,
  type Platform,
  platformSteps,
  targetOf,
} from './platform.ts';
import { runSteps, type Step } from './steps.ts';
import type { Target } from './target.ts';

export interface UpOptions {
  readonly version?: string;
  readonly httpsPort?: number;
  /** A cluster of the user's own in place of the embedded one. */
  readonly ownCluster?: OwnClusterOptions;
  /** `key=value` pairs of the stack's configuration. */
  readonly config?: Readonly<Record<string, string>>;
  /** Whether the instance has jobs in the cluster. @default false */
  readonly jobs?: boolean;
  /** Whether the console is started too. @default true */
  readonly console?: boolean;
}

export interface Brought {
  /** Address of the instance. */
  readonly url: string;
  /** Address of the console; absent: none was wanted. */
  readonly console?: string;
}

/** Host name of the instance on the embedded cluster; browsers resolve everything under localhost to loopback. */
export const INSTANCE_HOST = `scipion.${NAMESPACE}.localhost`;
const OPEN_SECONDS = 180;

/**
 * Everything from an empty machine to an address that opens. What is there already is used as it is.
 * @throws StepError naming the step that failed and what to do
 */
export async function up(options: UpOptions): Promise<Brought> {
  const platform: Platform = {};
  let url = '';
  let address: string | undefined;
  let told: readonly string[] = [];
  const version = options.version ?? DEFAULT_VERSION;
  const { ownCluster } = options;
  const steps: Step[] = [
    ...(ownCluster
      ? ownClusterSteps(platform, ownCluster)
      : platformSteps(platform, {
          versions: [version],
          hostNames: [INSTANCE_HOST],
          ...(options.httpsPort === undefined ? {} : { httpsPort: options.httpsPort }),
        })),
    {
      id: 'instance',
      title: 'Create the instance (stack demo)',
      after: ['engine', 'onedata'],
      hint: '`npm run local -- status` shows the pods and what they wait for.',
      run: async (report) => {
        const jobs = options.jobs ? await jobsOverrides(made(platform.target, 'The cluster')) : {};
        const own = { ...jobs, ...options.config, 'scipion:version': version };
        ({ url, told } = await createInstance(platform, own, report));
      },
    },
    {
      id: 'open',
      title: 'Wait until the address opens',
      after: ['instance'],
      hint: '`npm run local -- status` shows what the instance waits for, `npm run local -- logs` its logs.',
      run: (report) => waitForPage(url, report),
    },
  ];
  if (options.console !== false)
    steps.push({
      id: 'console',
      title: 'Start the console',
      after: ['instance'],
      hint: 'The instance runs without it: `npm run local -- up --no-console`. The log is in .local/console/console.log.',
      run: async (report) => {
        address = await ensureConsole(made(platform.target, 'The cluster').kubeconfig, report);
      },
    });
  await runSteps(steps);
  for (const line of told) console.log(line);
  return { url, ...(address === undefined ? {} : { console: address }) };
}

async function createInstance(
  platform: Platform,
  own: Readonly<Record<string, string>>,
  report: Report,
): Promise<{ readonly url: string; readonly told: readonly string[] }> {
  const target = made(platform.target, 'The cluster');
  const onedata = made(platform.onedata, 'The Onedata emulator');
  const engine = made(platform.engine, 'Pulumi');
  const record = {
    context: target.context ?? null,
    overrides: overridesFor(onedata, { ...platform.overrides, [OWNER_KEY]: DEMO_USER, ...own }),
  };
  await writeInstance(record);
  const stack = stackOf(engine, record, target, secretsFor(onedata));
  const { warnings, steps } = await stack.up(report);
  const { url } = await stack.outputs();
  const told = [...meaningLines('This `up`', steps), ...warnings.map((warning) => `Warning: ${warning}`)];
  return { url: String(url), told };
}

/** The certificate is of this machine's own authority; whether the page answers is all that is asked here. */
async function waitForPage(url: string, report: Report): Promise<void> {
  const { port, hostname } = new URL(url);
  const isLocal = hostname.endsWith('.localhost');
  const agent = new Agent({
    connect: { rejectUnauthorized: false, ...(isLocal ? { lookup: loopback } : {}) },
  });
  const deadline = Date.now() + OPEN_SECONDS * 1000;
  for (;;) {
    const found = await fetch(url, { dispatcher: agent, redirect: 'manual' }).then(
      (response) => `status ${response.status}`,
      (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message),
    );
    if (/^status [23]/.test(found)) return agent.close();
    if (Date.now() > deadline) {
      await agent.close();
      throw new Error(
        `${url} does not open after ${OPEN_SECONDS} s: found ${found}, expected a login page on port ${port}.`,
      );
    }
    report(`${url}: ${found}`);
    await sleep(1000);
  }
}

/** Names under localhost are loopback in browsers, but not for every resolver. */
const loopback: LookupFunction = (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);

/** The cluster that the instance is in, or a sentence on how to get one. */
export async function runningTarget(): Promise<Target> {
  const record = await readInstance();
  if (record?.context) return ownTarget(record.context);
  const cluster = await attachCluster(CLUSTER_STATE);
  if (!cluster) throw new Error('There is no running instance on this machine. Start one: npm run local');
  return targetOf(cluster);
}
