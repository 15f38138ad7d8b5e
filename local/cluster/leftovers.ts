import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { execa } from 'execa';
import { controlGroupFolders } from './control-group.ts';
import { type Layout, layoutOf, network } from './layout.ts';
import { readIfThere, sandboxProcesses } from './sandbox-processes.ts';

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
    ...sandboxProcesses(layout).map((pid) => `process ${pid} (${readIfThere(`/proc/${pid}/comm`).trim()})`),
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

/** Interfaces with the cluster's own addresses; those of Docker and others are not ours to name. */
function hostInterfaces(): string[] {
  return Object.entries(networkInterfaces())
    .filter(([name, addresses = []]) => addresses.some(({ address }) => isOurs(name, address)))
    .map(([name]) => `network interface ${name}`);
}

function isOurs(name: string, address: string): boolean {
  return (
    (name === 'node0' && address === network.nodeAddress) ||
    (name.startsWith('veth') && address === network.podGateway)
  );
}

/** Rules that kube-proxy would have written in the wrong network namespace. */
async function firewallRules(): Promise<string[]> {
  const { stdout } = await execa('iptables-save', { reject: false });
  return clusterRules(stdout ?? '').map((rule) => `firewall rule ${rule}`);
}

/** Those rules in the output of iptables-save that are about this cluster's Services, not another cluster's. */
export function clusterRules(saved: string): string[] {
  const services = network.serviceRange.replace(/\.0\.0\/16$/, '.');
  return saved.split('\n').filter((line) => line.startsWith('-A KUBE-') && line.includes(` ${services}`));
}
