import { BlockList, isIP } from 'node:net';

/**
 * The proxy for an address from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as the Kubernetes provider and kubectl read them:
 * the library of the hooks looks at the kubeconfig alone, and must not fail where they come through.
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
export function proxyFor(address: string, environment: NodeJS.ProcessEnv): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const read = (name: string) => environment[name] || environment[name.toLowerCase()] || '';
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (proxy === '' || isDirect(url, read('NO_PROXY'))) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

/** Of a URL an IPv6 address has brackets. */
const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1');

function isDirect({ hostname, port, protocol }: URL, noProxy: string): boolean {
  const host = bare(hostname);
  if (host === 'localhost' || isWithin(host, '127.0.0.0/8') || host === '::1') return true;
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  return noProxy
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      if (isIP(host) !== 0 && isWithin(host, entry)) return true;
      const [, name = '', entryPort] =
        /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
      if (entryPort !== undefined && entryPort !== ownPort) return false;
      const wanted = bare(name).replace(/^\*?\./, '');
      return host.endsWith(`.${wanted}`) || (host === wanted && !/^\*?\./.test(name));
    });
}

/** Of a network `10.0.0.0/8`; false for what is none. */
function isWithin(address: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/');
  const family = isIP(base);
  if (family === 0 || family !== isIP(address) || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
