import { isIP } from 'node:net';
import { contains, isClosed, METADATA_ADDRESSES, PRIVATE_NETWORKS } from '../stacks/networks.ts';

/** Addresses of NetworkPolicies. Pure. */

const EVERYWHERE = ['0.0.0.0/0', '::/0'];

/** Without those that another one of the list contains. */
const outermost = (cidrs: readonly string[]) =>
  cidrs.filter((one) => !cidrs.some((other) => other !== one && contains(other, one)));

function block(cidr: string, closed: readonly string[]) {
  const except = outermost(closed.filter((one) => contains(cidr, one) && one !== cidr));
  return { ipBlock: except.length === 0 ? { cidr } : { cidr, except } };
}

/**
 * Peers for networks that a site names: all of each but the metadata addresses in it.
 * @throws Error where nothing is left: a rule without peers would open every address.
 */
export function networkPeers(cidrs: readonly string[]) {
  const open = cidrs.filter((cidr) => !isClosed(cidr));
  if (open.length === 0)
    throw new Error(
      `A NetworkPolicy would open every address: found the networks ${cidrs.join(', ') || 'none'}, expected one that is not closed always (docs/security.md).`,
    );
  return open.map((cidr) => block(cidr, METADATA_ADDRESSES));
}

/** Peers for the internet. */
export const publicPeers = () =>
  EVERYWHERE.map((cidr) => block(cidr, [...METADATA_ADDRESSES, ...PRIVATE_NETWORKS]));

/** Peers for one host; a policy knows no names, so one that is given by name may be anywhere. */
export const hostPeers = (host: string) => networkPeers(isIP(host) === 4 ? [`${host}/32`] : EVERYWHERE);
