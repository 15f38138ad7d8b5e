import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa, type Options } from 'execa';
import { createControlGroup, removeControlGroup } from './control-group.ts';
import { inside, type Layout, network } from './layout.ts';
import { identify, isRunning, type ProcessIdentity } from './process.ts';
import { sandboxProcesses } from './sandbox-processes.ts';

/**
 * The sandbox: network, mount and process namespaces that hold the whole cluster. It is one process (the supervisor,
 * process 1 inside) as seen from here; with its end everything in it is gone.
 */

const START_ATTEMPTS = 100;

/** Opens the sandbox and returns its supervisor, as the host numbers it. */
export async function openSandbox(layout: Layout, binaries: string): Promise<ProcessIdentity> {
  for (const folder of ['kubelet', 'containerd', 'sockets', 'volumes', 'logs/pods', 'etcd']) {
    await mkdir(join(layout.state, folder), { recursive: true, mode: 0o700 });
  }
  await createControlGroup(layout.controlGroup);
  const logFile = join(layout.logs, 'sandbox.log');
  const log = openSync(logFile, 'a');
  const hostNetwork = openSync('/proc/self/ns/net', 'r');
  try {
    const init = join(import.meta.dirname, 'sandbox-init.sh');
    const child = spawn(
      'unshare',
      [
        ...['--net', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc', '--'],
        ...['sh', init, layout.state, binaries, network.nodeAddress],
      ],
      { detached: true, stdio: ['ignore', log, log, hostNetwork], cwd: '/' },
    );
    const ended = new Promise<'ended'>((resolve) => {
      child.once('exit', () => resolve('ended'));
      child.once('error', () => resolve('ended'));
    });
    const supervisor = await Promise.race([findSupervisor(child.pid), ended]);
    if (supervisor === 'ended' || supervisor === null) {
      const said = readFileSync(logFile, 'utf8').trim().split('\n').slice(-10).join('\n');
      throw new Error(
        'The namespaces of the embedded cluster could not be made. Expected: root, and a kernel that allows ' +
          `network, mount and process namespaces. ${logFile} says:\n${said}`,
      );
    }
    child.unref();
    return supervisor;
  } finally {
    closeSync(log);
    closeSync(hostNetwork);
  }
}

/** The supervisor is the only child of `unshare`, once the script in it has become `s6-svscan`. */
async function findSupervisor(unshare: number | undefined): Promise<ProcessIdentity | null> {
  if (unshare === undefined) return null;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    const children = readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8').trim();
    const pid = Number(children.split(' ')[0]);
    if (pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 's6-svscan') return identify(pid);
    await sleep(50);
  }
  return null;
}

/** Runs a command of the host's file system in the sandbox's namespaces. */
export function insideBox(supervisor: ProcessIdentity, command: readonly string[], options: Options = {}) {
  const [program = '', ...args] = command;
  return execa(
    'nsenter',
    ['--target', String(supervisor.pid), '--mount', '--net', '--pid', '--', program, ...args],
    { ...options, stripFinalNewline: true },
  );
}

/** A command of containerd's client `ctr` on the images and containers of Kubernetes. */
export function ctr(supervisor: ProcessIdentity, args: readonly string[], options: Options = {}) {
  return insideBox(
    supervisor,
    ['ctr', '--address', inside.containerdSocket, '--namespace', 'k8s.io', ...args],
    options,
  );
}

/**
 * Ends the sandbox: containers get `graceSeconds` after SIGTERM, then the programs end in order, then whatever is left
 * is killed by the kernel. Does nothing to a sandbox that is gone, except for tidying up after it.
 */
export async function closeSandbox(
  layout: Layout,
  supervisor: ProcessIdentity | null,
  graceSeconds: number,
): Promise<void> {
  if (supervisor && isRunning(supervisor)) {
    await execa('s6-svc', ['-d', join(layout.services, 'kubelet')], { reject: false });
    await endContainers(supervisor, graceSeconds);
    await execa('s6-svscanctl', ['-t', layout.services], { reject: false });
    if (!(await gone(supervisor, 15))) process.kill(supervisor.pid, 'SIGKILL');
    if (!(await gone(supervisor, 15))) {
      throw new Error(
        `Process ${supervisor.pid}, which holds the embedded cluster, does not end even when killed. ` +
          'A process in it may wait for a disk or network volume (look for state D in "ps axl"); end that wait, then try again.',
      );
    }
  }
  for (const pid of sandboxProcesses(layout)) killIfThere(pid);
  await removeControlGroup(layout.controlGroup);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function endContainers(supervisor: ProcessIdentity, graceSeconds: number): Promise<void> {
  const list = async () => {
    const filter = 'labels."io.cri-containerd.kind"==container';
    const containers = await ctr(supervisor, ['containers', 'list', '--quiet', filter], { reject: false });
    const tasks = await ctr(supervisor, ['tasks', 'list', '--quiet'], { reject: false });
    if (containers.exitCode !== 0 || tasks.exitCode !== 0) return [];
    const running = new Set(String(tasks.stdout).split('\n'));
    return String(containers.stdout)
      .split('\n')
      .filter((id) => id !== '' && running.has(id));
  };
  for (const id of await list()) {
    await ctr(supervisor, ['tasks', 'kill', '--signal', 'SIGTERM', id], { reject: false });
  }
  const deadline = Date.now() + graceSeconds * 1000;
  while (Date.now() < deadline && (await list()).length > 0) await sleep(250);
}

async function gone(supervisor: ProcessIdentity, seconds: number): Promise<boolean> {
  const deadline = Date.now() + seconds * 1000;
  while (isRunning(supervisor)) {
    if (Date.now() > deadline) return false;
    await sleep(100);
  }
  return true;
}
