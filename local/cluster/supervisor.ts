import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { inside, type Layout } from './layout.ts';
import { isListening } from './process.ts';
import type { Program } from './programs.ts';

const LOG_LIMIT = 20 * 1024 * 1024;
const DEATHS_ALLOWED = 3;
const START_SECONDS = 120;

/** Writes the s6 service folder of every program; none starts before it is told to. */
export async function writeServices(layout: Layout, programs: readonly Program[]): Promise<void> {
  await rm(layout.services, { recursive: true, force: true });
  await mkdir(layout.logs, { recursive: true });
  for (const program of programs) {
    const folder = join(layout.services, program.name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'run'), runScript(program), { mode: 0o755 });
    await writeFile(join(folder, 'finish'), finishScript, { mode: 0o755 });
    await writeFile(join(folder, 'down'), '');
    if (program.endedBy) await writeFile(join(folder, 'down-signal'), `${program.endedBy}\n`);
    await keepLogShort(logFile(layout, program.name));
  }
}

/** A program's start as a shell script; every word is quoted, so that none is read as shell. */
export function runScript({ name, command, onHostNetwork }: Program): string {
  const words = onHostNetwork ? ['nsenter', '--net=/run/host-network', '--', ...command] : command;
  return [
    '#!/bin/sh',
    `exec >>${inside.state}/logs/${name}.log 2>&1 </dev/null`,
    'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home',
    `exec env -i PATH="$PATH" HOME="$HOME" ${words.map(quote).join(' ')}`,
    '',
  ].join('\n');
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Counts how often a program ended; 256 as first argument means by a signal, the second one. */
const finishScript = '#!/bin/sh\necho "$1 $2" >>deaths\n';

export function logFile(layout: Layout, name: string): string {
  return join(layout.logs, `${name}.log`);
}

async function keepLogShort(file: string): Promise<void> {
  const size = (await stat(file).catch(() => null))?.size ?? 0;
  if (size > LOG_LIMIT) await rename(file, `${file}.1`);
}

/**
 * Starts the programs together and waits until each is ready.
 *
 * @param pid process inside the cluster's network namespace, as the host numbers it
 * @throws Error that names the program which keeps ending or does not become ready, with the end of its log.
 */
export async function startPrograms(
  layout: Layout,
  programs: readonly Program[],
  pid: number,
): Promise<void> {
  for (const { name } of programs) await control(layout, name, '-u');
  const deadline = Date.now() + START_SECONDS * 1000;
  for (const program of programs) {
    while (!isListening(program.onHostNetwork ? 'self' : pid, program.ready)) {
      await refuseDeadPrograms(layout, programs);
      if (Date.now() > deadline) {
        throw await programError(layout, program.name, `is not ready after ${START_SECONDS} s`);
      }
      await sleep(100);
    }
  }
}

/** @throws Error when one of the programs has ended more often than a slow neighbour explains. */
export async function refuseDeadPrograms(layout: Layout, programs: readonly Program[]): Promise<void> {
  for (const { name } of programs) {
    const deaths = await deathsOf(layout, name);
    if (deaths.length < DEATHS_ALLOWED) continue;
    throw await programError(layout, name, `keeps ending (${describeDeath(deaths.at(-1) ?? '')})`);
  }
}

/** @throws Error when one of the programs is down at this moment. */
export async function refuseDownPrograms(layout: Layout, programs: readonly Program[]): Promise<void> {
  const up = await runningPrograms(
    layout,
    programs.map(({ name }) => name),
  );
  const down = programs.find(({ name }) => !up.get(name));
  if (down) throw await programError(layout, down.name, 'is down and its supervisor cannot start it');
}

async function deathsOf(layout: Layout, name: string): Promise<string[]> {
  const text = await readFile(join(layout.services, name, 'deaths'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}

/** Words for a line of the `deaths` file. */
export function describeDeath(line: string): string {
  const [code, signal] = line.split(' ');
  return code === '256' ? `signal ${signal}` : `exit code ${code}`;
}

async function programError(layout: Layout, name: string, what: string): Promise<Error> {
  const file = logFile(layout, name);
  const end = await lastLines(file, 15);
  return new Error(
    `The cluster's program ${name} ${what}. The end of its log ${file}:\n${end || '(empty)'}\n` +
      'What to do: remove the cause named there and start again. If the state of the cluster is damaged, ' +
      'destroying the cluster and starting again makes a new one; destroying loses the volumes.',
  );
}

async function lastLines(file: string, count: number): Promise<string> {
  if (!existsSync(file)) return '';
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 16_384);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-count).join('\n');
  } finally {
    await handle.close();
  }
}

/** Which programs are up, as the supervisor sees them. */
export async function runningPrograms(
  layout: Layout,
  names: readonly string[],
): Promise<Map<string, boolean>> {
  const states = await Promise.all(
    names.map(async (name): Promise<[string, boolean]> => {
      const result = await execa('s6-svstat', ['-o', 'up', join(layout.services, name)], { reject: false });
      return [name, result.stdout.trim() === 'true'];
    }),
  );
  return new Map(states);
}

/** Sends a command of `s6-svc` to a program's supervisor, which needs a moment to appear after the sandbox has started. */
export async function control(layout: Layout, name: string, ...command: string[]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await execa('s6-svc', [...command, join(layout.services, name)], { reject: false });
    if (result.exitCode === 0) return;
    if (attempt === 100) throw new Error(`s6-svc ${command.join(' ')} ${name} failed: ${result.stderr}`);
    await sleep(50);
  }
}
