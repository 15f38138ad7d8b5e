import { readFile } from 'node:fs/promises';
import { apply, type Kubectl, kubectl } from './kubectl.ts';

/** Namespace and name of the TLS Secret that Ingresses of every namespace may use. */
export const ingressCertificate = { namespace: 'local-tls', name: 'instances' } as const;

const VOLUME_NAMESPACE = 'local-path-storage';

/** What a plain Kubernetes lacks for instances: a default storage class, an ingress class, room for certificates. */
export async function applyAddons(api: Kubectl, contourDefinitions: string): Promise<void> {
  await apply(api, await readFile(contourDefinitions, 'utf8'));
  await kubectl(api, ['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
  await apply(api, [...volumeObjects(), ...ingressObjects()]);
}

function volumeObjects(): object[] {
  const scripts = {
    // Owners differ from pod to pod and a hostPath volume is never handed over to one, so everyone may write; the
    // folder above is closed to other users of the machine.
    setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
    teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
  };
  return [
    namespace(VOLUME_NAMESPACE, 'privileged'),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'local-path-config', namespace: VOLUME_NAMESPACE },
      data: scripts,
    },
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {
        name: 'local-path',
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: 'rancher.io/local-path',
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
    },
  ];
}

function ingressObjects(): object[] {
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'contour', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'projectcontour.io/ingress-controller' },
    },
    namespace(ingressCertificate.namespace, 'restricted'),
    {
      apiVersion: 'projectcontour.io/v1',
      kind: 'TLSCertificateDelegation',
      metadata: { name: ingressCertificate.name, namespace: ingressCertificate.namespace },
      spec: { delegations: [{ secretName: ingressCertificate.name, targetNamespaces: ['*'] }] },
    },
  ];
}

function namespace(name: string, podSecurity: 'privileged' | 'restricted'): object {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': podSecurity } },
  };
}
