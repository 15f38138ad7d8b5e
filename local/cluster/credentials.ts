import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Layout, network } from './layout.ts';
import { Authority, type CertificateRequest, covers, ensureSigningKey, type KeyPair } from './pki.ts';

/** Everyone who proves who they are to another part of the cluster, by file name in `pki`. */
const parties: Record<string, CertificateRequest> = {
  'api-server': {
    commonName: 'kube-apiserver',
    hosts: [
      '127.0.0.1',
      'localhost',
      network.nodeAddress,
      network.kubernetesService,
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${network.clusterDomain}`,
    ],
  },
  'kubelet-server': { commonName: network.nodeName, hosts: [network.nodeName, network.nodeAddress] },
  // Also the identity of the add-ons: they run as root beside the authority's key, a lesser one would guard nothing.
  admin: { commonName: 'scipion-local-admin', organization: 'system:masters' },
  'controller-manager': { commonName: 'system:kube-controller-manager' },
  scheduler: { commonName: 'system:kube-scheduler' },
  'kube-proxy': { commonName: 'system:kube-proxy' },
  kubelet: { commonName: `system:node:${network.nodeName}`, organization: 'system:nodes' },
};

const clients = ['admin', 'controller-manager', 'scheduler', 'kube-proxy', 'kubelet'] as const;

/**
 * Makes what is missing or about to expire: the authorities, the parties' certificates, and a kubeconfig for each
 * client, plus the one for people (`layout.kubeconfig`, mode 0600).
 */
export async function writeCredentials(layout: Layout, apiPort: number): Promise<void> {
  const authority = await Authority.open(layout.pki, 'ca');
  await webAuthority(layout);
  await ensureSigningKey(join(layout.pki, 'service-account.key'));
  const pairs = new Map<string, KeyPair>();
  for (const [name, request] of Object.entries(parties)) {
    pairs.set(name, await ensurePair(layout, authority, name, request));
  }
  await mkdir(layout.config, { recursive: true, mode: 0o700 });
  const inside = `https://127.0.0.1:${network.apiPort}`;
  const write = async (file: string, server: string, client: string) => {
    const pair = pairs.get(client);
    if (!pair) throw new Error(`No certificate for ${client}`);
    await writeFile(file, kubeconfig(server, authority.certificate, pair), { mode: 0o600 });
  };
  for (const client of clients) await write(join(layout.config, `${client}.kubeconfig`), inside, client);
  await write(layout.kubeconfig, `https://127.0.0.1:${apiPort}`, 'admin');
}

/** The authority behind the certificates of web addresses; another than the cluster's own, so that trusting it in a browser gives nobody a way in. */
export function webAuthority(layout: Layout): Promise<Authority> {
  return Authority.open(layout.pki, 'web-ca');
}

async function ensurePair(
  layout: Layout,
  authority: Authority,
  name: string,
  request: CertificateRequest,
): Promise<KeyPair> {
  const files = { certificate: join(layout.pki, `${name}.crt`), key: join(layout.pki, `${name}.key`) };
  if (existsSync(files.certificate) && existsSync(files.key)) {
    const pair = {
      certificate: await readFile(files.certificate, 'utf8'),
      key: await readFile(files.key, 'utf8'),
    };
    if (covers(pair.certificate, request.hosts ?? [])) return pair;
  }
  const pair = await authority.issue(request);
  await writeFile(files.key, pair.key, { mode: 0o600 });
  await writeFile(files.certificate, pair.certificate);
  return pair;
}

/** A kubeconfig (JSON, which is YAML) for one client. */
export function kubeconfig(server: string, authority: string, { certificate, key }: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const name = network.nodeName;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      { name, user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) } },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
