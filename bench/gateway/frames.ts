import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connectTo, frame } from './client.ts';
import type { Peer } from './peers.ts';

/** Messages of the RFB protocol (RFC 6143) that a picture needs. */
const VERSION = Buffer.from('RFB 003.008\n');
const NO_PASSWORD = Buffer.of(1);
const SHARED = Buffer.of(1);
/** One encoding: raw, so that a picture costs the client next to nothing and the way between everything. */
const SET_RAW = Buffer.of(2, 0, 0, 1, 0, 0, 0, 0);
const BYTES_PER_PIXEL = 4;
const MESSAGES = { update: 0, bell: 2, cutText: 3 } as const;

/** What came through a peer, without the frames of WebSockets. */
async function* payloadsOf(socket: Socket, isWebSocket: boolean): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let payloadLeft = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    if (!isWebSocket) {
      yield chunk;
      continue;
    }
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length > 0) {
      if (payloadLeft > 0) {
        const payload = rest.subarray(0, payloadLeft);
        rest = rest.subarray(payload.length);
        payloadLeft -= payload.length;
        yield payload;
        continue;
      }
      const short = (rest[1] ?? 0) & 0x7f;
      const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (rest.length < headerBytes) break;
      payloadLeft =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
      rest = rest.subarray(headerBytes);
    }
  }
}

/** Bytes in the order in which they came. */
class ByteReader {
  readonly #payloads: AsyncGenerator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(payloads: AsyncGenerator<Buffer>) {
    this.#payloads = payloads;
  }

  async #more(): Promise<Buffer> {
    const { value, done } = await this.#payloads.next();
    if (done === true) throw new Error('the desktop ended the connection');
    return value;
  }

  async read(bytes: number): Promise<Buffer> {
    while (this.#rest.length < bytes) this.#rest = Buffer.concat([this.#rest, await this.#more()]);
    const read = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return read;
  }

  async skip(bytes: number): Promise<void> {
    let left = bytes;
    while (left > this.#rest.length) {
      left -= this.#rest.length;
      this.#rest = await this.#more();
    }
    this.#rest = this.#rest.subarray(left);
  }
}

/** Reads one message; true where it was a picture, whose rectangles are read too. */
async function readMessage(reader: ByteReader, onPicture: () => void): Promise<boolean> {
  const [type] = await reader.read(1);
  if (type === MESSAGES.bell) return false;
  if (type === MESSAGES.cutText) {
    await reader.skip((await reader.read(7)).readUInt32BE(3));
    return false;
  }
  if (type !== MESSAGES.update) throw new Error(`the desktop sent a message of type ${type}`);
  const rectangles = (await reader.read(3)).readUInt16BE(1);
  // As noVNC does it: the next one is on its way while this one is read.
  onPicture();
  for (let number = 0; number < rectangles; number += 1) {
    const rectangle = await reader.read(12);
    await reader.skip(rectangle.readUInt16BE(4) * rectangle.readUInt16BE(6) * BYTES_PER_PIXEL);
  }
  return true;
}

/** Seconds that one picture of a real VNC server takes, of `count` in a row. @throws Error where the server is another one */
export async function secondsPerFrame(peer: Peer, count: number): Promise<number> {
  const socket = await connectTo(peer);
  try {
    const send = (message: Buffer) => socket.write(frame(peer, message));
    const reader = new ByteReader(payloadsOf(socket, peer.isWebSocket));
    await reader.read(VERSION.length);
    send(VERSION);
    const [kinds = 0] = await reader.read(1);
    await reader.read(kinds);
    send(NO_PASSWORD);
    if ((await reader.read(4)).readUInt32BE() !== 0) throw new Error('the desktop refuses the connection');
    send(SHARED);
    const server = await reader.read(24);
    await reader.skip(server.readUInt32BE(20));
    send(SET_RAW);
    const request = (isIncremental: boolean) =>
      send(Buffer.concat([Buffer.of(3, isIncremental ? 1 : 0, 0, 0, 0, 0), server.subarray(0, 4)]));
    request(false);
    while (!(await readMessage(reader, () => request(true))));
    const began = performance.now();
    for (let seen = 0; seen < count; ) if (await readMessage(reader, () => request(true))) seen += 1;
    return (performance.now() - began) / 1000 / count;
  } finally {
    socket.destroy();
  }
}
