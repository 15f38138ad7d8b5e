import {
  API_SERVER_PORTS,
  CERTIFICATE_SOLVER,
  DNS_PORTS,
  dnsPeers,
  gatewayPeers,
} from '../../components/manifests/network.ts';
import { networkPeers, publicPeers } from '../../components/network-addresses.ts';
import type { SiteConfig } from '../load.ts';
import { NAMES, PORT } from '../names.ts';
import { metadata, selectorLabels } from './metadata.ts';

/** Everything of the console's namespace is closed, but what the console itself needs. */

export function consolePolicyManifest(config: SiteConfig) {
  const { apiServerNetworks, egressNetworks, egressPorts } = config;
  const ports = egressPorts.map((port) => ({ protocol: 'TCP', port }));
  return {
    metadata: metadata(config.namespace, NAMES.console),
    spec: {
      podSelector: { matchLabels: selectorLabels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ...gatewayPeers(config), ports: [{ protocol: 'TCP', port: PORT }] }],
      egress: [
        { to: dnsPeers(config), ports: DNS_PORTS },
        { to: networkPeers(apiServerNetworks), ports: API_SERVER_PORTS },
        // The sign-in, Onedata, whatever keeps the states, and the webhook.
        {
          to: [...publicPeers(), ...(egressNetworks.length === 0 ? [] : networkPeers(egressNetworks))],
          ports,
        },
      ],
    },
  };
}

export const defaultDenyManifest = ({ namespace }: SiteConfig) => ({
  metadata: metadata(namespace, NAMES.defaultDeny),
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
});

/** As in the namespace of an instance. */
export const certificateSolverManifest = ({ namespace }: SiteConfig) => ({
  metadata: metadata(namespace, NAMES.certificateSolverPolicy, {
    'kube-score/ignore': 'networkpolicy-targets-pod',
  }),
  spec: CERTIFICATE_SOLVER,
});
