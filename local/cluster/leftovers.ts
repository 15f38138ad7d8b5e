import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { controlGroupFolders } from './control-group.ts';
import { type Layout, layoutOf } from './layout.ts';

/**
 * What a stopped cluster should not have left on this machine, one sentence each; empty when it is clean.
 * The state folder itself belongs to it only after `destroyCluster`, so it is not looked at.
 */
export async function findLeftovers(stateDirectory: string): Promise<string[]> {
  const layout = layoutOf(stateDirectory);
  return [
    ...controlGroupFolders(layout.controlGroup)
      .filter((folder) => existsSync(folder))
      .map((folder) => `control group ${folder}`),
    ...processesOf(layout),
    ...mountsOf(layout),
    ...hostInterfaces(),
    ...(await firewallRules()),
    ...(existsSync(layout.lock) ? [`lock ${layout.lock}`] : []),
  ];
}

/** Processes that see the state folder mounted, so are in the cluster's mount namespace, or are in its control group. */
function processesOf(layout: Layout): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => {
      const mounts = readIfThere(`/proc/${pid}/mountinfo`);
      const groups = readIfThere(`/proc/${pid}/cgroup`);
      return mounts.includes(' /run/cluster ') || groups.includes(`/${layout.controlGroup}`);
    })
    .filter((pid) => readIfThere(`/proc/${pid}/mountinfo`).includes(layout.state) || inGroup(pid, layout))
    .map((pid) => `process ${pid} (${readIfThere(`/proc/${pid}/comm`).trim()})`);
}

function inGroup(pid: string, layout: Layout): boolean {
  return readIfThere(`/proc/${pid}/cgroup`).includes(`/${layout.controlGroup}`);
}

function mountsOf(layout: Layout): string[] {
  return readIfThere('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line.includes(layout.state))
    .map((line) => `mount ${line.split(' ')[4]}`);
}

function hostInterfaces(): string[] {
  return readdirSync('/sys/class/net')
    .filter((name) => name === 'node0' || name.startsWith('veth'))
    .map((name) => `network interface ${name}`);
}

/** Rules that kube-proxy would have written in the wrong network namespace. */
async function firewallRules(): Promise<string[]> {
  const { stdout } = await execa('iptables-save', { reject: false });
  return (stdout ?? '')
    .split('\n')
    .filter((line) => /^-A KUBE-/.test(line))
    .map((line) => `firewall rule ${line}`);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has ended meanwhile
  }
}
