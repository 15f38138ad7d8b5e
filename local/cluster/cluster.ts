import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import type { Report } from '../progress.ts';
import { binDir } from './binaries.ts';
import { ctr } from './box.ts';
import { webAuthority } from './credentials.ts';
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
   * Makes the images of an OCI or Docker archive (tar file) available to pods under the names in it.
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
    importImage: (archivePath, report) => importImage(record, archivePath, report),
    listImages: () => listImages(record),
  };
}

/** The archive goes through a pipe: its folder may not be visible in the cluster's mount namespace. */
export async function importImage(
  record: Pick<ClusterRecord, 'supervisor'>,
  archivePath: string,
  report: Report,
): Promise<void> {
  report(`importing ${basename(archivePath)}`);
  const archive = createReadStream(archivePath);
  const result = await ctr(record.supervisor, ['images', 'import', '-'], {
    input: archive,
    reject: false,
    all: true,
  });
  if (result.exitCode !== 0) {
    throw new Error(
      `The image archive ${archivePath} could not be imported into the cluster. Expected an OCI or Docker archive and ` +
        `free disk space. containerd said:\n${String(result.all).trim().split('\n').slice(-5).join('\n')}`,
    );
  }
}

async function listImages({ supervisor }: ClusterRecord): Promise<string[]> {
  const { stdout } = await ctr(supervisor, ['images', 'list', '--quiet']);
  return String(stdout)
    .split('\n')
    .filter((name) => name !== '' && !name.startsWith('sha256:'));
}
