import { ingressCertificate } from './addons.ts';
import { apply, type Kubectl, kubectl } from './kubectl.ts';
import { covers, hostsOf, type KeyPair } from './pki.ts';

/** See `Cluster.ensureIngressCertificate`. Hosts of other instances in the Secret stay in it. */
export async function ensureIngressCertificate(
  api: Kubectl,
  issue: (hostNames: readonly string[]) => Promise<KeyPair>,
  hostNames: readonly string[],
): Promise<void> {
  const present = await presentCertificate(api);
  if (present && covers(present, hostNames)) return;
  const hosts = unitedHosts(present, hostNames);
  const { certificate, key } = await issue(hosts);
  await apply(api, [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: ingressCertificate,
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': certificate, 'tls.key': key },
    },
  ]);
}

/** The hosts of a certificate (PEM, null for none) and further ones, each once. */
export function unitedHosts(certificate: string | null, hostNames: readonly string[]): string[] {
  return [...new Set([...(certificate ? hostsOf(certificate) : []), ...hostNames])];
}

async function presentCertificate(api: Kubectl): Promise<string | null> {
  const { namespace, name } = ingressCertificate;
  const found = await kubectl(api, [
    ...['get', 'secret', name, '--namespace', namespace, '--ignore-not-found'],
    ...['--output', 'jsonpath={.data.tls\\.crt}'],
  ]);
  return found === '' ? null : Buffer.from(found, 'base64').toString('utf8');
}
