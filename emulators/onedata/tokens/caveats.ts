import { BlockList, isIPv6 } from 'node:net';
import * as z from 'zod';

const listed = z.array(z.string()).min(1);
const caveatSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('time'), validUntil: z.int() }),
  z.object({ type: z.literal('ip'), whitelist: listed }),
  z.object({ type: z.literal('asn'), whitelist: z.array(z.int()).min(1) }),
  z.object({ type: z.literal('geo.country'), filter: z.enum(['whitelist', 'blacklist']), list: listed }),
  z.object({ type: z.literal('geo.region'), filter: z.enum(['whitelist', 'blacklist']), list: listed }),
  z.object({ type: z.literal('service'), whitelist: listed }),
  z.object({ type: z.literal('consumer'), whitelist: listed }),
  z.object({ type: z.literal('interface'), interface: z.enum(['rest', 'oneclient', 'graphsync']) }),
  z.object({ type: z.literal('api'), whitelist: listed }),
  z.object({ type: z.literal('data.readonly') }),
  z.object({ type: z.literal('data.path'), whitelist: z.array(z.base64()).min(1) }),
  z.object({ type: z.literal('data.objectid'), whitelist: listed }),
]);
/** As `examine` and error details show them. */
export type Caveat = z.infer<typeof caveatSchema>;
export const caveatsSchema = z.array(caveatSchema);

/** As text in the macaroon, e.g. `time < 1790000000`, `data.path = L3NwMQ==|L3NwMg==`. */
export function caveatText(caveat: Caveat): string {
  switch (caveat.type) {
    case 'time':
      return `time < ${caveat.validUntil}`;
    case 'geo.country':
    case 'geo.region':
      return `${caveat.type} ${caveat.filter === 'whitelist' ? '=' : '!='} ${caveat.list.join('|')}`;
    case 'interface':
      return `interface = ${caveat.interface}`;
    case 'data.readonly':
      return 'data.readonly';
    default:
      return `${caveat.type} = ${caveat.whitelist.join('|')}`;
  }
}

/** @throws Error for what is no caveat of Onedata */
export function parseCaveat(text: string): Caveat {
  if (text === 'data.readonly') return { type: 'data.readonly' };
  const [, type = '', operator = '', value = ''] = /^([a-z.]+) (<|=|!=) (.+)$/.exec(text) ?? [];
  const list = value.split('|');
  switch (type) {
    case 'time':
      return caveatSchema.parse({ type, validUntil: Number(value) });
    case 'asn':
      return caveatSchema.parse({ type, whitelist: list.map(Number) });
    case 'interface':
      return caveatSchema.parse({ type, interface: value });
    case 'geo.country':
    case 'geo.region':
      return caveatSchema.parse({ type, filter: operator === '=' ? 'whitelist' : 'blacklist', list });
    default:
      return caveatSchema.parse({ type, whitelist: list });
  }
}

/** What limits a token to data: with one of them most of the zone and of the provider is closed. */
export const isDataCaveat = (caveat: Caveat): boolean =>
  caveat.type.startsWith('data.') || (caveat.type === 'interface' && caveat.interface === 'oneclient');

/** Where and by whom a token is used; what its caveats are checked against. */
export interface TokenUse {
  /** Seconds since 1970. */
  readonly now: number;
  readonly peerAddress: string;
  /** `opw-<providerId>` or `ozw-onezone`; absent: the service is not verified (infer scope). */
  readonly service?: string;
  /** Absent: not verified (infer scope). */
  readonly interface?: string;
  readonly consumerToken?: string;
}

/** `consumer`: who holds the consumer token, e.g. `usr-u1`; null: nobody showed one. */
export function holds(caveat: Caveat, use: TokenUse, consumer: () => string | null): boolean {
  switch (caveat.type) {
    case 'time':
      return use.now < caveat.validUntil;
    case 'ip':
      return isListed(use.peerAddress, caveat.whitelist);
    case 'service':
      return use.service === undefined || isIdListed(use.service, caveat.whitelist);
    case 'interface':
      return use.interface === undefined || caveat.interface === use.interface;
    case 'consumer': {
      const who = consumer();
      return who !== null && isIdListed(who, caveat.whitelist);
    }
    case 'asn':
    case 'geo.country':
    case 'geo.region':
      // They need the geo database of a zone, which the emulator does not have.
      return false;
    case 'api':
      return use.service === undefined;
    case 'data.readonly':
    case 'data.path':
    case 'data.objectid':
      // Checked at each file operation.
      return true;
  }
}

/** Itself or all of its kind: `opw-*`. */
function isIdListed(id: string, whitelist: readonly string[]): boolean {
  const [kind] = id.split('-');
  return whitelist.includes(id) || whitelist.includes(`${kind}-*`);
}

function isListed(address: string, masks: readonly string[]): boolean {
  const plain = address.replace(/^::ffff:/, '');
  const list = new BlockList();
  for (const mask of masks) {
    const [network = '', bits] = mask.split('/');
    list.addSubnet(network, Number(bits ?? (isIPv6(network) ? 128 : 32)), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}
