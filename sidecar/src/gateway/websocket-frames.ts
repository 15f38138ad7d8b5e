import { createHash } from 'node:crypto';

/**
 * The part of the WebSocket protocol that a relay of bytes needs (RFC 6455): the payload of data frames is passed on as
 * it comes, whatever messages it forms; nothing is collected and nothing large is copied.
 */

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const MAX_CONTROL_BYTES = 125;
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Payloads up to this are moved together in their piece, so that the many frames of a moving mouse are one write. */
const MAX_MOVED_BYTES = 4096;
/** Room that the header of a frame of any length takes at most. */
export const MAX_HEADER_BYTES = 10;

/** The value of `Sec-WebSocket-Accept` for a valid `Sec-WebSocket-Key`, else undefined. */
export function acceptKey(key: string | undefined): string | undefined {
  if (key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key)) return undefined;
  return createHash('sha1')
    .update(key + ACCEPT_GUID)
    .digest('base64');
}

/** Writes the header of an unmasked binary frame so that it ends at `end`; returns where it begins. */
export function writeBinaryHeader(buffer: Buffer, end: number, length: number): number {
  const first = 0x80 | OPCODES.binary;
  if (length < 126) {
    buffer[end - 2] = first;
    buffer[end - 1] = length;
    return end - 2;
  }
  if (length < 65_536) {
    buffer[end - 4] = first;
    buffer[end - 3] = 126;
    buffer.writeUInt16BE(length, end - 2);
    return end - 4;
  }
  buffer[end - 10] = first;
  buffer[end - 9] = 127;
  buffer.writeUInt32BE(0, end - 8);
  buffer.writeUInt32BE(length, end - 4);
  return end - 10;
}

/** An unmasked binary frame with a copy of the payload. */
export function dataFrame(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(MAX_HEADER_BYTES + payload.length);
  payload.copy(frame, MAX_HEADER_BYTES);
  return frame.subarray(writeBinaryHeader(frame, MAX_HEADER_BYTES, payload.length));
}

function controlFrame(opcode: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x80 | opcode, payload.length), payload]);
}

export const PING_FRAME = controlFrame(OPCODES.ping, Buffer.alloc(0));
export const pongFrame = (payload: Uint8Array) => controlFrame(OPCODES.pong, payload);
/** @param reason at most 123 bytes */
export const closeFrame = (code: number, reason = '') =>
  controlFrame(OPCODES.close, Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason)]));

/** Undoes the mask of a browser in place. `offset` is how much of the payload came before. */
export function unmask(data: Buffer, mask: Uint8Array, offset: number): void {
  const { length } = data;
  const keyAt = (index: number) => mask[(offset + index) & 3] as number;
  let at = 0;
  if (length >= 32) {
    while ((data.byteOffset + at) & 3) {
      data[at] = (data[at] as number) ^ keyAt(at);
      at += 1;
    }
    const key = keyAt(at) | (keyAt(at + 1) << 8) | (keyAt(at + 2) << 16) | (keyAt(at + 3) << 24);
    const words = new Int32Array(data.buffer, data.byteOffset + at, (length - at) >> 2);
    for (let word = 0; word < words.length; word += 1) words[word] = (words[word] as number) ^ key;
    at += words.length << 2;
  }
  for (; at < length; at += 1) data[at] = (data[at] as number) ^ keyAt(at);
}

export interface FrameListener {
  /** Bytes of the browser, valid until the bytes that were given are used for something else. */
  onData(payload: Buffer): void;
  onPing(payload: Buffer): void;
  onClose(): void;
  /** What came is not the protocol; nothing more is read. */
  onError(): void;
}

/** Reads what a browser sends, piece by piece. */
export class FrameReader {
  readonly #listener: FrameListener;
  readonly #header = Buffer.alloc(MAX_HEADER_BYTES + 4);
  #headerLength = 0;
  #opcode = 0;
  #left = 0;
  #read = 0;
  #control: Buffer[] = [];
  #mask: Buffer = this.#header;
  #hasEnded = false;
  /** Where in the piece the payload lies that has not been handed over. */
  #from = 0;
  #to = 0;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** Takes the next bytes; their content is changed. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#hasEnded) {
      if (this.#left === 0) at = this.#readHeader(chunk, at);
      else at = this.#readPayload(chunk, at);
    }
    this.#handOver(chunk);
  }

  #handOver(chunk: Buffer): void {
    const [from, to] = [this.#from, this.#to];
    this.#from = 0;
    this.#to = 0;
    if (to > from)
      this.#listener.onData(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const hasMore = this.#to > this.#from;
    if (hasMore && to - from <= MAX_MOVED_BYTES) {
      chunk.copyWithin(this.#to, from, to);
      this.#to += to - from;
      return;
    }
    if (hasMore) this.#handOver(chunk);
    this.#from = from;
    this.#to = to;
  }

  #readHeader(chunk: Buffer, from: number): number {
    let at = from;
    const header = this.#header;
    while (at < chunk.length) {
      header[this.#headerLength] = chunk[at] as number;
      this.#headerLength += 1;
      at += 1;
      if (this.#headerLength < 2) continue;
      const short = (header[1] as number) & 127;
      const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
      if (this.#headerLength < 6 + extended) continue;
      this.#begin(chunk, short, extended);
      break;
    }
    return at;
  }

  #begin(chunk: Buffer, short: number, extended: number): void {
    const header = this.#header;
    const [first, second] = [header[0] as number, header[1] as number];
    this.#opcode = first & 15;
    const isControl = this.#opcode >= OPCODES.close;
    const isKnown = this.#opcode <= OPCODES.binary || (isControl && this.#opcode <= OPCODES.pong);
    const length =
      extended === 2 ? header.readUInt16BE(2) : extended === 8 ? Number(header.readBigUInt64BE(2)) : short;
    const isRight =
      isKnown &&
      this.#opcode !== OPCODES.text &&
      (first & 0x70) === 0 &&
      (second & 0x80) !== 0 &&
      Number.isSafeInteger(length) &&
      (!isControl || (length <= MAX_CONTROL_BYTES && (first & 0x80) !== 0));
    if (!isRight) {
      this.#hasEnded = true;
      this.#handOver(chunk);
      this.#listener.onError();
      return;
    }
    this.#mask = header.subarray(2 + extended, 6 + extended);
    this.#headerLength = 0;
    this.#left = length;
    this.#read = 0;
    this.#control = [];
    if (length === 0) this.#finish(chunk);
  }

  #readPayload(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#left);
    const payload = chunk.subarray(from, to);
    unmask(payload, this.#mask, this.#read);
    this.#read += payload.length;
    this.#left -= payload.length;
    if (this.#opcode < OPCODES.close) this.#keep(chunk, from, to);
    else this.#control.push(Buffer.from(payload));
    if (this.#left === 0) this.#finish(chunk);
    return to;
  }

  #finish(chunk: Buffer): void {
    if (this.#opcode === OPCODES.ping) this.#listener.onPing(Buffer.concat(this.#control));
    if (this.#opcode !== OPCODES.close) return;
    this.#hasEnded = true;
    this.#handOver(chunk);
    this.#listener.onClose();
  }
}
