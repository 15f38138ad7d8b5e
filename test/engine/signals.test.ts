import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../../local/cli/machine.ts';

/** Who runs `npm run pulumi` without a terminal ends it by a signal to npm: a runner of CI, systemd, a container. */

const place = mkdtempSync(join(tmpdir(), 'signals-'));
const env = { ...process.env, SCIPION_LOCAL_STATE: join(place, 'state') };
const project = join(place, 'project');
const pulumi = (...args: string[]) =>
  execa(process.execPath, ['local/cli/pulumi.ts', '-C', project, ...args], { cwd: ROOT, env });

beforeAll(async () => {
  const main = fileURLToPath(new URL('./programs/slow', import.meta.url));
  mkdirSync(project);
  const runtime = { name: 'nodejs', options: { typescript: false } };
  writeFileSync(join(project, 'Pulumi.yaml'), JSON.stringify({ name: 'slow', runtime, main }));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const backend = join(env.SCIPION_LOCAL_STATE, 'stacks', '.pulumi');
function locks(stack: string): readonly string[] {
  const folder = join(backend, 'locks', 'organization', 'slow', stack);
  return existsSync(folder) ? readdirSync(folder) : [];
}
const known = (stack: string) => readFileSync(join(backend, 'stacks', 'slow', `${stack}.json`), 'utf8');

/** Sends it in the middle of an `up`. @returns how npm ended */
async function signalled(stack: string, signal: NodeJS.Signals, whole = false) {
  await pulumi('stack', 'init', stack);
  await pulumi('config', 'set', 'slow:milliseconds', '5000', '--stack', stack);
  const args = ['run', '--silent', 'pulumi', '--', '-C', project, 'up', '--yes', '--skip-preview'];
  const npm = spawn('npm', [...args, '--stack', stack], { cwd: ROOT, env, detached: true });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    npm.on('exit', (code, killed) => resolve(code ?? killed));
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.on('data', (text) => {
      output += text;
    });
  while (!output.includes('waiting for the hook') && npm.exitCode === null) await sleep(50);
  process.kill(whole ? -Number(npm.pid) : Number(npm.pid), signal);
  return { end: await ended, output: () => output };
}

test.each([
  ['SIGTERM', false],
  ['SIGINT', false],
  // As `timeout` does it, and a terminal: each process gets it, and npm passes it on once more.
  ['SIGTERM', true],
] as const)('%s ends it in order, and npm waits (to the whole group: %s)', async (signal, whole) => {
  const stack = `${signal}-${whole}`.toLowerCase();
  const { end, output } = await signalled(stack, signal, whole);
  expect(locks(stack), 'the engine has ended before npm').toEqual([]);
  expect(output()).toContain('cancelling');
  expect(output()).not.toContain('received; terminating');
  expect(end).toBeTypeOf('number');
  expect(end).not.toBe(0);
  expect(known(stack), 'what was under way is done').toContain('::first');
  expect(known(stack)).not.toContain('::second');
});

test('SIGHUP ends npm, and what it had started ends in order behind it', async () => {
  await signalled('hup', 'SIGHUP');
  expect(locks('hup')).not.toEqual([]);
  while (locks('hup').length > 0) await sleep(100);
  expect(known('hup')).toContain('::first');
  expect(known('hup')).not.toContain('::second');
});
