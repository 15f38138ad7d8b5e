import { join } from 'node:path';
import type { Report } from '../../automation/tools/progress.ts';
import { binDir } from './binaries.ts';
import { webAuthority } from './credentials.ts';
import { importImage, listImages } from './images.ts';
import { ensureIngressCertificate } from './ingress-certificate.ts';
import type { Layout } from './layout.ts';
import type { KeyPair } from './pki.ts';
import type { ClusterRecord } from './record.ts';

/** A running embedded cluster. */
export interface Cluster {
  /** Kubeconfig of an administrator (mode 0600); its API address is on the host's loopback. */
  readonly kubeconfigPath: string;
  readonly kubectlPath: string;
  /** 127.0.0.1:`httpsPort` is the ingress controller's HTTPS listener. */
  readonly httpsPort: number;
  /** 127.0.0.1:`apiPort` is the Kubernetes API. */
  readonly apiPort: number;
  /** Certificate (PEM file) of the authority that signs the certificates of web addresses. */
  readonly caFile: string;
  /**
   * Makes the images of an OCI or Docker archive (tar file) available to pods under the names in it. Quick for an
   * OCI archive whose images are there already.
   * @throws Error with what containerd said.
   */
  importImage(archivePath: string, report: Report): Promise<void>;
  /** Names (`repository:tag`) of the images that pods can use. */
  listImages(): Promise<string[]>;
  /** A certificate for the host names, signed by the local authority; not kept anywhere. */
  issueCertificate(hostNames: readonly string[]): Promise<KeyPair>;
  /**
   * Makes the Secret `local-tls/instances` cover `hostNames` beside those it covers already. An Ingress of any
   * namespace uses it by `spec.tls[].secretName: instances` and the annotation
   * `projectcontour.io/tls-cert-namespace: local-tls`.
   */
  ensureIngressCertificate(hostNames: readonly string[]): Promise<void>;
}

export function clusterOf(layout: Layout, record: ClusterRecord): Cluster {
  const binaries = binDir(record.binaries);
  const api = { program: binaries.kubectl, kubeconfig: layout.kubeconfig };
  const issueCertificate = async (hostNames: readonly string[]) => {
    const [commonName = ''] = hostNames;
    // A common name is at most 64 characters long; clients look at the list of hosts only.
    return (await webAuthority(layout)).issue({ commonName: commonName.slice(0, 64), hosts: hostNames });
  };
  return {
    kubeconfigPath: layout.kubeconfig,
    kubectlPath: binaries.kubectl,
    httpsPort: record.httpsPort,
    apiPort: record.apiPort,
    caFile: join(layout.pki, 'web-ca.crt'),
    issueCertificate,
    ensureIngressCertificate: (hostNames) => ensureIngressCertificate(api, issueCertificate, hostNames),
    importImage: (archivePath, report) => importImage(record.supervisor, archivePath, report),
    listImages: async () => [...(await listImages(record.supervisor)).keys()],
  };
}
