import { PORTS } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { instanceHost, NAMES, PORT_NAMES } from '../names.ts';
import { metadata, selectorLabels } from './metadata.ts';

/** Service and Ingress of the gateway. */

const SERVICE_PORT = 80;
const SKIP_AWAIT = { 'pulumi.com/skipAwait': 'true' };

export function serviceManifest(config: InstanceConfig) {
  return {
    // The Service exists before its pod, and the provider would wait for endpoints.
    metadata: metadata(config, NAMES.service, 'gateway', SKIP_AWAIT),
    spec: {
      type: 'ClusterIP',
      selector: selectorLabels(config),
      // The progress page must be reachable while the pod is not Ready, and during the final save.
      publishNotReadyAddresses: true,
      // A number, since not everything that resolves the name of a port looks into native sidecars.
      ports: [{ name: PORT_NAMES.gateway, port: SERVICE_PORT, targetPort: PORTS.gateway, protocol: 'TCP' }],
    },
  };
}

export function ingressManifest(config: InstanceConfig) {
  const host = instanceHost(config.namespace, config.domain);
  const annotations = {
    ...config.ingressAnnotations,
    ...(config.tlsIssuer === undefined ? {} : { 'cert-manager.io/cluster-issuer': config.tlsIssuer }),
    ...(config.waitForIngress ? {} : SKIP_AWAIT),
  };
  const backend = { service: { name: NAMES.service, port: { name: PORT_NAMES.gateway } } };
  return {
    metadata: metadata(config, NAMES.ingress, 'gateway', annotations),
    spec: {
      ingressClassName: config.ingressClass,
      tls: [{ hosts: [host], secretName: config.tlsSecretName }],
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
  };
}
