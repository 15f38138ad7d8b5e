import { PORTS } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { instanceHost, NAMES, PORT_NAMES } from '../names.ts';
import { metadata, SKIP_AWAIT, selectorLabels } from './metadata.ts';

/** Service of the gateway, and Ingress or HTTPRoute to it. */

const SERVICE_PORT = 80;

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

/** @param gateway `<namespace>/<name>` of the Gateway that has the listener and its certificate. */
export function httpRouteManifest(config: InstanceConfig, gateway: string) {
  const [namespace, name] = gateway.split('/');
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: metadata(config, NAMES.route, 'gateway'),
    spec: {
      parentRefs: [{ namespace, name }],
      hostnames: [instanceHost(config.namespace, config.domain)],
      rules: [
        {
          backendRefs: [{ name: NAMES.service, port: SERVICE_PORT }],
          // Pictures and events flow as long as a session lasts.
          timeouts: { request: '0s' },
        },
      ],
    },
  };
}
