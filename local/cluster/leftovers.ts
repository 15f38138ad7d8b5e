import { existsSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
import { controlGroupFolders } from './control-group.ts';
import { inhabitants, readIfThere } from './inhabitants.ts';
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
    ...inhabitants(layout).map((pid) => `process ${pid} (${readIfThere(`/proc/${pid}/comm`).trim()})`),
    ...mountsOf(layout),
    ...hostInterfaces(),
    ...(await firewallRules()),
  ];
}

function mountsOf(layout: Layout): string[] {
  return readIfThere('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((place) => place === layout.state || place.startsWith(`${layout.state}/`))
    .map((place) => `mount ${place}`);
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
