import { PORTS } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { NAMES } from '../names.ts';
import { metadata, selectorLabels } from './metadata.ts';

/**
 * NetworkPolicies: one for the pod (everything closed but what it lists), and in a namespace of its own one that closes
 * every other pod. A policy is for a pod, not a container: the desktop reaches what `sync` reaches.
 */

const DNS_PORTS = [
  { protocol: 'UDP', port: 53 },
  { protocol: 'TCP', port: 53 },
];

/** Anywhere but the address at which clouds hand out credentials. */
const ANYWHERE = [
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.169.254/32'] } },
  { ipBlock: { cidr: '::/0', except: ['fd00:ec2::254/128'] } },
];

/** Ports of the configured list and of the Onedata host, ascending. */
export function onedataPorts(
  config: Pick<InstanceConfig, 'onedataHost' | 'onedataPorts'>,
): readonly number[] {
  const ownPort = config.onedataHost?.split(':')[1];
  const ports = new Set([...config.onedataPorts, ownPort === undefined ? 443 : Number(ownPort)]);
  return [...ports].sort((a, b) => a - b);
}

function gatewayPeers(config: InstanceConfig) {
  if (config.ingressNamespaces.length === 0) return {};
  const values = [...config.ingressNamespaces];
  const expression = { key: 'kubernetes.io/metadata.name', operator: 'In', values };
  return { from: [{ namespaceSelector: { matchExpressions: [expression] } }] };
}

export function instancePolicyManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.networkPolicy, 'network'),
    spec: {
      podSelector: { matchLabels: selectorLabels(config) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ...gatewayPeers(config), ports: [{ protocol: 'TCP', port: PORTS.gateway }] }],
      egress: [
        { ports: DNS_PORTS },
        { to: ANYWHERE, ports: onedataPorts(config).map((port) => ({ protocol: 'TCP', port })) },
      ],
    },
  };
}

/** Lets the short-lived pod answer with which cert-manager proves that the host name is ours. */
export function certificateSolverPolicyManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.certificateSolverPolicy, 'network'),
    spec: {
      podSelector: { matchLabels: { 'acme.cert-manager.io/http01-solver': 'true' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [{ protocol: 'TCP', port: 8089 }] }],
    },
  };
}

/** Closes every pod of the namespace that no other policy opens. */
export function defaultDenyManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.defaultDeny, 'network'),
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  };
}
