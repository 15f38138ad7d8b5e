import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Macaroons as Onedata's tokens are: binary format 1 of libmacaroons (packets of `<4 hex digits length><key> <value>\n`)
 * in base 64 for URLs, and that in base 62. The packages for JavaScript read and write only format 2.
 */
export interface Macaroon {
  /** Domain of the zone that made it. */
  readonly location: string;
  readonly identifier: string;
  /** First-party caveats as text. */
  readonly caveats: readonly string[];
  readonly signature: Buffer;
}

const hmac = (key: Buffer | string, text: Buffer | string) => createHmac('sha256', key).update(text).digest();

/** Key and identifier start the chain of signatures; each caveat goes on from the one before. */
const chain = (start: Buffer, caveats: readonly string[]): Buffer =>
  caveats.reduce((signature, caveat) => hmac(signature, caveat), start);

const startOf = (secret: Buffer | string, identifier: string) =>
  hmac(hmac('macaroons-key-generator', Buffer.from(secret)), identifier);

export function makeMacaroon(
  location: string,
  identifier: string,
  secret: Buffer | string,
  caveats: readonly string[],
): Macaroon {
  return { location, identifier, caveats, signature: chain(startOf(secret, identifier), caveats) };
}

/** Anyone adds caveats; without the secret nobody takes one off. */
export function narrowed(macaroon: Macaroon, caveats: readonly string[]): Macaroon {
  return {
    ...macaroon,
    caveats: [...macaroon.caveats, ...caveats],
    signature: chain(macaroon.signature, caveats),
  };
}

export function isGenuine(macaroon: Macaroon, secret: Buffer | string): boolean {
  const expected = chain(startOf(secret, macaroon.identifier), macaroon.caveats);
  return timingSafeEqual(expected, macaroon.signature);
}

export function serialiseMacaroon({ location, identifier, caveats, signature }: Macaroon): string {
  const packets = [
    packet('location', location),
    packet('identifier', identifier),
    ...caveats.map((caveat) => packet('cid', caveat)),
    packet('signature', signature),
  ];
  return toBase62(Buffer.concat(packets).toString('base64url'));
}

/** @throws Error for what is no macaroon */
export function parseMacaroon(text: string): Macaroon {
  const bytes = Buffer.from(fromBase62(text), 'base64url');
  const packets: [string, Buffer][] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 4), 16);
    const end = at + length;
    const space = bytes.indexOf(' ', at + 4);
    // Key, space, newline: shorter is nothing, longer than what is there is cut off.
    if (!(length > 6) || end > bytes.length || space < 0 || space >= end) throw new Error('no macaroon');
    packets.push([bytes.toString('latin1', at + 4, space), bytes.subarray(space + 1, end - 1)]);
    at = end;
  }
  const [location, identifier, ...rest] = packets;
  const signature = rest.pop();
  const isWhole =
    location?.[0] === 'location' &&
    identifier?.[0] === 'identifier' &&
    signature?.[0] === 'signature' &&
    signature[1].length === 32;
  if (!isWhole || rest.some(([key]) => key !== 'cid')) throw new Error('no macaroon');
  return {
    location: location[1].toString('utf8'),
    identifier: identifier[1].toString('utf8'),
    caveats: rest.map(([, value]) => value.toString('utf8')),
    signature: Buffer.from(signature[1]),
  };
}

function packet(key: string, value: string | Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(`${key} `), Buffer.from(value), Buffer.from('\n')]);
  return Buffer.concat([Buffer.from((content.length + 4).toString(16).padStart(4, '0')), content]);
}

/** Characters that base 62 does not have, and its own escape. */
const ESCAPES = ['0', '_', '-', '/', '+', '='] as const;

const toBase62 = (text: string) =>
  text.replace(/[0_\-/+=]/g, (character) => `0${ESCAPES.indexOf(character as '0')}`);

function fromBase62(text: string): string {
  if (!/^([1-9A-Za-z]|0[0-5])+$/.test(text)) throw new Error('no base 62');
  return text.replace(/0([0-5])/g, (_, index: string) => ESCAPES[Number(index)] as string);
}
