import { BlockList, isIP } from 'node:net';

/** Networks and addresses, and those that no instance reaches. Pure. */

/** At these, clouds hand out credentials to whoever asks from the machine; never reachable, whatever a site opens. */
export const METADATA_ADDRESSES = [
  // AWS, Azure, Google, OpenStack and others; the container credentials of AWS beside it.
  '169.254.0.0/16',
  // Alibaba, Oracle, the host of Azure.
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  // AWS, Google, and the addresses of one link.
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  'fe80::/10',
];

/** Networks that are nobody's in the internet: this cluster, its nodes, its site. */
export const PRIVATE_NETWORKS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
];

const parts = (cidr: string) => {
  const [address = '', prefix = ''] = cidr.split('/');
  return {
    address,
    prefix: Number(prefix),
    family: address.includes(':') ? ('ipv6' as const) : ('ipv4' as const),
  };
};

/** Whether `outer` has all of `inner`. */
export function contains(outer: string, inner: string): boolean {
  const [a, b] = [parts(outer), parts(inner)];
  if (a.family !== b.family || a.prefix > b.prefix) return false;
  const list = new BlockList();
  list.addSubnet(a.address, a.prefix, a.family);
  return list.check(b.address, b.family);
}

/** IPv4 in the clothes of IPv6: the kernel sends it as IPv4, past the rules that say so. */
const MAPPED = '::ffff:0:0/96';

/** Network in CIDR notation, as Kubernetes takes it. */
export function isCidr(text: string): boolean {
  const [address = '', prefix = '', ...more] = text.split('/');
  const family = isIP(address);
  return (
    more.length === 0 &&
    family !== 0 &&
    !address.includes('%') &&
    /^(0|[1-9]\d{0,2})$/.test(prefix) &&
    Number(prefix) <= (family === 4 ? 32 : 128) &&
    !contains(MAPPED, text)
  );
}

export const isClosed = (cidr: string): boolean =>
  METADATA_ADDRESSES.some((closed) => contains(closed, cidr));

/** What a site may open: a network of which something is left without the addresses that are closed always. */
export const isOpenable = (text: string): boolean => isCidr(text) && !isClosed(text);

export const isPrivate = (cidr: string): boolean =>
  PRIVATE_NETWORKS.some((network) => contains(network, cidr));

/** The one address of a host that is given by address, as a network; `undefined` for a name. */
export function networkOf(host: string): string | undefined {
  // Also as a program reads it: 0xa9fea9fe is an address.
  const { hostname } = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : { hostname: host };
  return isIP(hostname) === 4 ? `${hostname}/32` : undefined;
}
