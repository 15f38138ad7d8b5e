import { BlockList, isIP } from 'node:net';

/** Addresses of NetworkPolicies. Pure. */

/** At these, clouds hand out credentials to whoever asks from the machine; never reachable, whatever a site opens. */
const METADATA_ADDRESSES = [
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
const PRIVATE_NETWORKS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
];

const EVERYWHERE = ['0.0.0.0/0', '::/0'];

const parts = (cidr: string) => {
  const [address = '', prefix = ''] = cidr.split('/');
  return {
    address,
    prefix: Number(prefix),
    family: address.includes(':') ? ('ipv6' as const) : ('ipv4' as const),
  };
};

/** Whether `outer` has all of `inner`. */
function contains(outer: string, inner: string): boolean {
  const [a, b] = [parts(outer), parts(inner)];
  if (a.family !== b.family || a.prefix > b.prefix) return false;
  const list = new BlockList();
  list.addSubnet(a.address, a.prefix, a.family);
  return list.check(b.address, b.family);
}

/** Without those that another one of the list contains. */
const outermost = (cidrs: readonly string[]) =>
  cidrs.filter((one) => !cidrs.some((other) => other !== one && contains(other, one)));

function block(cidr: string, closed: readonly string[]) {
  const except = outermost(closed.filter((one) => contains(cidr, one) && one !== cidr));
  return { ipBlock: except.length === 0 ? { cidr } : { cidr, except } };
}

/** Peers for networks that a site names: all of each but the metadata addresses in it. */
export const networkPeers = (cidrs: readonly string[]) =>
  cidrs
    .filter((cidr) => !METADATA_ADDRESSES.some((closed) => contains(closed, cidr)))
    .map((cidr) => block(cidr, METADATA_ADDRESSES));

/** Peers for the internet. */
export const publicPeers = () =>
  EVERYWHERE.map((cidr) => block(cidr, [...METADATA_ADDRESSES, ...PRIVATE_NETWORKS]));

/** Peers for one host; a policy knows no names, so one that is given by name may be anywhere. */
export const hostPeers = (host: string) => networkPeers(isIP(host) === 4 ? [`${host}/32`] : EVERYWHERE);
