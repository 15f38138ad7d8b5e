/** What a token says of itself, to anyone who holds it. Nothing of it is verified. */
export interface TokenFacts {
  /** Domain of the zone that made it. */
  readonly zone: string;
  readonly kind: 'access' | 'identity' | 'invite';
  /** When it ends by its own caveats; null: never. */
  readonly expiresAt: Date | null;
  readonly isReadonly: boolean;
}

/**
 * Reads a token of Onedata, a macaroon in binary format 1, in base 64 for URLs, in base 62; null for what is none (a
 * zone may take tokens of others too, with a prefix of its own).
 */
export function tokenFacts(token: string): TokenFacts | null {
  const packets = packetsOf(token.trim());
  const packetOf = (key: string) => packets?.find(([name]) => name === key)?.[1];
  const [zone, identifier] = [packetOf('location'), packetOf('identifier')];
  if (!packets || zone === undefined || identifier === undefined) return null;
  const caveats = packets.flatMap(([key, value]) => (key === 'cid' ? [value] : []));
  const ends = caveats.flatMap((caveat) => {
    const seconds = /^time < (\d+)$/.exec(caveat)?.[1];
    return seconds === undefined ? [] : [Number(seconds)];
  });
  return {
    zone,
    kind: kindOf(identifier),
    expiresAt: ends.length > 0 ? new Date(Math.min(...ends) * 1000) : null,
    isReadonly: caveats.includes('data.readonly'),
  };
}

/** `2/<persistence>/<subject>/<type>/<id>`; tokens of the first version are plain ids and always access tokens. */
function kindOf(identifier: string): TokenFacts['kind'] {
  const [version, , , type] = identifier.split('/');
  if (version !== '2' || type === undefined || /^act(:|$)/.test(type)) return 'access';
  return type === 'idn' ? 'identity' : 'invite';
}

const ESCAPED: Readonly<Record<string, string>> = {
  '00': '0',
  '01': '_',
  '02': '-',
  '03': '/',
  '04': '+',
  '05': '=',
};

/** Packets are `<length in 4 hex digits><key> <value>\n`. */
function packetsOf(token: string): [key: string, value: string][] | null {
  if (!/^([1-9A-Za-z]|0[0-5])+$/.test(token)) return null;
  const plain = token.replace(/0[0-5]/g, (pair) => ESCAPED[pair] as string);
  const bytes = Buffer.from(plain, 'base64url');
  const packets: [string, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + Number.parseInt(bytes.toString('latin1', at, at + 4), 16);
    const space = bytes.indexOf(' ', at + 4);
    if (!(end > at + 6) || end > bytes.length || space < 0 || space >= end) return null;
    packets.push([bytes.toString('latin1', at + 4, space), bytes.toString('utf8', space + 1, end - 1)]);
    at = end;
  }
  return packets;
}
