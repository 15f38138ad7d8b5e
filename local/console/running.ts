import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Report } from '../../automation/tools/progress.ts';
import { replaceFile } from '../../automation/tools/replace-file.ts';
import { CLUSTER_STATE, ROOT } from '../cli/machine.ts';
import { layoutOf } from '../cluster/layout.ts';
import { choosePort } from '../cluster/ports.ts';
import { identify, isRunning } from '../cluster/process.ts';
import { withLock } from '../cluster/record.ts';
import { CONSOLE_FILES, ensureFiles, readSettings } from './files.ts';

/** The console of this machine as a process behind the terminal: started, found again, ended. */

const PROGRAM = join(ROOT, 'local', 'console', 'main.ts');
/** What it runs; with a change in there it is started again. */
const SOURCES = [
  'console',
  'automation',
  'components',
  'stacks',
  'local/console',
  'sidecar/src/front',
  'package-lock.json',
];
const ANSWER_SECONDS = 60;
/** It closes its connections within three. */
const END_SECONDS = 10;
const MAX_LOG_BYTES = 10_000_000;

const recordSchema = z.object({
  process: z.object({ pid: z.int(), startTime: z.string(), bootId: z.string() }),
  /** What it was started for; another one is another console. */
  kubeconfig: z.string(),
  sources: z.number(),
});
type Running = z.infer<typeof recordSchema>;

async function found(): Promise<Running | undefined> {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(CONSOLE_FILES.record, 'utf8')));
    return isRunning(record.process) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Its address, where one runs. */
export async function consoleAddress(): Promise<string | undefined> {
  return (await found()) === undefined ? undefined : addressOf((await readSettings()).consolePort);
}

const addressOf = (port: number) => `http://localhost:${port}`;

/**
 * One console that answers, for this cluster and with the code as it is now.
 * @returns its address
 * @throws Error with the last lines of its log
 */
export function ensureConsole(kubeconfig: string, report: Report): Promise<string> {
  const onWait = () => report('another command starts or stops something here; waiting for it');
  return withLock(layoutOf(CLUSTER_STATE), onWait, () => startedOne(kubeconfig, report));
}

async function startedOne(kubeconfig: string, report: Report): Promise<string> {
  const sources = await latestChange();
  const running = await found();
  if (running?.kubeconfig === kubeconfig && running.sources === sources) {
    const address = addressOf((await readSettings()).consolePort);
    if (await answers(address)) return address;
  }
  await stopConsole(report);
  report('starting the console');
  const { consolePort, identityPort } = await ensureFiles((usual) => choosePort('console', undefined, usual));
  const child = await start(kubeconfig);
  const record = child.pid === undefined ? null : identify(child.pid);
  if (record !== null)
    await replaceFile(CONSOLE_FILES.record, JSON.stringify({ process: record, kubeconfig, sources }));
  const address = addressOf(consolePort);
  const deadline = Date.now() + ANSWER_SECONDS * 1000;
  while (
    !(await answers(address)) ||
    !(await answers(`${addressOf(identityPort)}/.well-known/openid-configuration`))
  ) {
    const isOver = child.exitCode !== null || child.signalCode !== null;
    if (isOver || Date.now() > deadline) {
      await stopConsole(report);
      const what = isOver
        ? `ended with ${child.exitCode ?? child.signalCode}`
        : `does not answer after ${ANSWER_SECONDS} s`;
      throw new Error(`The console ${what}. Its log, ${CONSOLE_FILES.log}, ends with:\n${lastLines()}`);
    }
    await sleep(200);
  }
  child.unref();
  return address;
}

/** Does nothing where none runs. What its engines have begun ends by itself or is found by the next one. */
export async function stopConsole(report: Report): Promise<void> {
  const running = await found();
  if (running !== undefined) {
    report('stopping the console');
    process.kill(running.process.pid, 'SIGTERM');
    const deadline = Date.now() + END_SECONDS * 1000;
    while (isRunning(running.process)) {
      if (Date.now() > deadline) process.kill(running.process.pid, 'SIGKILL');
      await sleep(100);
    }
  }
  await rm(CONSOLE_FILES.record, { force: true });
}

async function start(kubeconfig: string): Promise<ChildProcess> {
  const size = existsSync(CONSOLE_FILES.log) ? (await stat(CONSOLE_FILES.log)).size : 0;
  if (size > MAX_LOG_BYTES) await rename(CONSOLE_FILES.log, `${CONSOLE_FILES.log}.1`);
  const log = await open(CONSOLE_FILES.log, 'a', 0o600);
  try {
    return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM], {
      cwd: ROOT,
      // A group of its own: a Ctrl-C at this terminal is not meant for it.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, KUBECONFIG: kubeconfig },
    });
  } finally {
    await log.close();
  }
}

async function answers(address: string): Promise<boolean> {
  try {
    const { status } = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(2000) });
    return status < 500;
  } catch {
    return false;
  }
}

const lastLines = () => readFileSync(CONSOLE_FILES.log, 'utf8').trimEnd().split('\n').slice(-5).join('\n');

/** When the newest of its files was written, in ms since 1970. */
async function latestChange(): Promise<number> {
  const times = await Promise.all(
    SOURCES.map(async (name) => {
      const path = join(ROOT, name);
      const entries = (await stat(path)).isDirectory()
        ? (await readdir(path, { recursive: true })).map((entry) => join(path, entry))
        : [path];
      const files = entries.filter((file) => /\.(ts|html|css|json)$/.test(file) && !file.includes('/test/'));
      return Math.max(0, ...(await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs))));
    }),
  );
  return Math.max(...times);
}
