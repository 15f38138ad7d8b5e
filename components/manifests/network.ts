import { PORTS } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { NAMES } from '../names.ts';
import { hostPeers, networkPeers, publicPeers } from '../network-addresses.ts';
import { jobLabels, metadata, selectorLabels } from './metadata.ts';

/**
 * NetworkPolicies: one for the pod (everything closed but what it lists), and in a namespace of its own one that closes
 * every other pod. A policy is for a pod, not a container: the desktop reaches what `sync` reaches.
 */

/** The policy sees the port of the resolver's pod, which is 5353 on OpenShift. */
export const DNS_PORTS = [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port })));

/** The resolver of the cluster, and the caches of NodeLocal DNSCache and Kubespray on the node. */
export const dnsPeers = ({ dnsNamespaces }: Pick<InstanceConfig, 'dnsNamespaces'>) => [
  { namespaceSelector: namespacesNamed(dnsNamespaces) },
  ...['169.254.20.10/32', '169.254.25.10/32'].map((cidr) => ({ ipBlock: { cidr } })),
];

const namespacesNamed = (values: readonly string[]) => ({
  matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [...values] }],
});

/** Ports of the configured list and of the Onedata host, ascending. */
export function onedataPorts(
  config: Pick<InstanceConfig, 'onedataHost' | 'onedataPorts'>,
): readonly number[] {
  const ownPort = config.onedataHost?.split(':')[1];
  const ports = new Set([...config.onedataPorts, ownPort === undefined ? 443 : Number(ownPort)]);
  return [...ports].sort((a, b) => a - b);
}

export function gatewayPeers(config: Pick<InstanceConfig, 'ingressNamespaces'>) {
  if (config.ingressNamespaces.length === 0) return {};
  return { from: [{ namespaceSelector: namespacesNamed(config.ingressNamespaces) }] };
}

/** Whoever reads `/metrics` of the sidecars; the kubelet's probes need no policy. */
function scraperRules({ jobs, metricsNamespaces }: InstanceConfig) {
  if (metricsNamespaces.length === 0) return [];
  const all = [PORTS.gatewayProbes, PORTS.syncProbes, ...(jobs ? [PORTS.jobsProbes] : [])];
  const ports = all.map((port) => ({ protocol: 'TCP', port }));
  return [{ from: [{ namespaceSelector: namespacesNamed(metricsNamespaces) }], ports }];
}

const onedataPeers = ({ onedataNetworks }: InstanceConfig) =>
  onedataNetworks.length === 0 ? publicPeers() : networkPeers(onedataNetworks);

export const API_SERVER_PORTS = [443, 6443].map((port) => ({ protocol: 'TCP', port }));

/** Of the pod's containers only the broker has a token for it. */
function apiServerRules({ jobs, apiServerNetworks }: InstanceConfig) {
  return jobs ? [{ to: networkPeers(apiServerNetworks), ports: API_SERVER_PORTS }] : [];
}

/** A policy knows no names: a proxy given by name may be at any address. */
function proxyRules({ httpProxy }: InstanceConfig) {
  if (httpProxy === undefined) return [];
  const { hostname, port } = new URL(httpProxy);
  const to = hostPeers(hostname);
  return [{ to, ports: [{ protocol: 'TCP', port: Number(port || 80) }] }];
}

/** The gateway asks the sign-in server itself; all of its addresses are at the port of the issuer. */
function signInRules({ signInIssuer, signInNetworks }: InstanceConfig) {
  if (signInIssuer === undefined) return [];
  const { port } = new URL(signInIssuer);
  const to = signInNetworks.length === 0 ? publicPeers() : networkPeers(signInNetworks);
  return [{ to, ports: [{ protocol: 'TCP', port: Number(port || 443) }] }];
}

export function instancePolicyManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.networkPolicy, 'network'),
    spec: {
      podSelector: { matchLabels: selectorLabels(config) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        { ...gatewayPeers(config), ports: [{ protocol: 'TCP', port: PORTS.gateway }] },
        ...scraperRules(config),
      ],
      egress: [
        { to: dnsPeers(config), ports: DNS_PORTS },
        ...proxyRules(config),
        { to: onedataPeers(config), ports: onedataPorts(config).map((port) => ({ protocol: 'TCP', port })) },
        ...signInRules(config),
        ...apiServerRules(config),
      ],
    },
  };
}

/** Lets the short-lived pod answer with which cert-manager proves that the host name is ours. */
export const CERTIFICATE_SOLVER = {
  podSelector: { matchLabels: { 'acme.cert-manager.io/http01-solver': 'true' } },
  policyTypes: ['Ingress', 'Egress'],
  ingress: [{ ports: [{ protocol: 'TCP', port: 8089 }] }],
};

export function certificateSolverPolicyManifest(config: InstanceConfig) {
  return {
    // Its pod is cert-manager's, and is not among the objects of the stack.
    metadata: metadata(config, NAMES.certificateSolverPolicy, 'network', {
      'kube-score/ignore': 'networkpolicy-targets-pod',
    }),
    spec: CERTIFICATE_SOLVER,
  };
}

/** A job reads and writes its volumes, and speaks to nobody. */
export function jobPolicyManifest(config: InstanceConfig) {
  return {
    // Its pods are the broker's, and are not among the objects of the stack.
    metadata: metadata(config, NAMES.jobPolicy, 'network', {
      'kube-score/ignore': 'networkpolicy-targets-pod',
    }),
    spec: {
      podSelector: { matchLabels: jobLabels(config) },
      policyTypes: ['Ingress', 'Egress'],
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
