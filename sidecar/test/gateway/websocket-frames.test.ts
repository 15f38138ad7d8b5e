import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { acceptKey, FrameReader, unmask, writeBinaryHeader } from '../../src/gateway/websocket-frames.ts';

function frame(opcode: number, payload: Uint8Array, mask: Uint8Array): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index & 3] as number)));
  return Buffer.concat([header, mask, masked]);
}

function read(chunks: readonly Buffer[]) {
  const seen = { data: [] as Buffer[], pings: [] as string[], closes: 0, errors: 0 };
  const reader = new FrameReader({
    onData: (payload) => seen.data.push(Buffer.from(payload)),
    onPing: (payload) => seen.pings.push(payload.toString()),
    onClose: () => {
      seen.closes += 1;
    },
    onError: () => {
      seen.errors += 1;
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  return { ...seen, data: Buffer.concat(seen.data) };
}

test('the payload comes out as it went in, however frames are cut into pieces', () => {
  const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });
  const message = fc.record({ payload: fc.uint8Array({ maxLength: 400 }), mask });
  fc.assert(
    fc.property(fc.array(message), fc.infiniteStream(fc.integer({ min: 1, max: 90 })), (messages, cuts) => {
      const stream = Buffer.concat(
        messages.flatMap(({ payload, mask }) => [frame(2, payload, mask), frame(9, Buffer.from('hi'), mask)]),
      );
      const chunks: Buffer[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = cuts.next().value as number;
        chunks.push(Buffer.from(stream.subarray(at, at + size)));
        at += size;
      }
      const { data, pings } = read(chunks);
      expect(data.equals(Buffer.concat(messages.map(({ payload }) => payload)))).toBe(true);
      expect(pings).toEqual(messages.map(() => 'hi'));
    }),
  );
});

test('a large frame at any place in memory is unmasked', () => {
  const mask = Buffer.of(1, 2, 3, 4);
  for (let place = 0; place < 8; place += 1) {
    for (let offset = 0; offset < 4; offset += 1) {
      const data = Buffer.alloc(80).subarray(place, place + 70);
      unmask(data, mask, offset);
      expect([...data]).toEqual(Array.from({ length: 70 }, (_, index) => mask[(index + offset) & 3]));
    }
  }
});

const mask = Buffer.alloc(4);
test.each([
  ['text', frame(1, Buffer.from('x'), mask)],
  ['an unknown kind', frame(3, Buffer.from('x'), mask)],
  ['without a mask', Buffer.of(0x82, 1, 7, 7, 7, 7, 7)],
  [
    'with bits of an extension',
    Buffer.concat([Buffer.of(0xc2), frame(2, Buffer.from('x'), mask).subarray(1)]),
  ],
  ['a ping that is too long', frame(9, Buffer.alloc(126), mask)],
  [
    'a length beyond all numbers',
    Buffer.from([0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]),
  ],
])('a frame is refused: %s', (_what, bytes) => {
  const { errors, data } = read([bytes, frame(2, Buffer.from('after'), mask)]);
  expect([errors, data.length]).toEqual([1, 0]);
});

test('nothing is read after the goodbye', () => {
  const { closes, data } = read([frame(8, Buffer.of(3, 232), mask), frame(2, Buffer.from('after'), mask)]);
  expect([closes, data.length]).toEqual([1, 0]);
});

test.each([
  [0, [0x82, 0]],
  [125, [0x82, 125]],
  [126, [0x82, 126, 0, 126]],
  [65_535, [0x82, 126, 255, 255]],
  [65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
])('the header of %i bytes', (length, header) => {
  const buffer = Buffer.alloc(10);
  expect([...buffer.subarray(writeBinaryHeader(buffer, 10, length))]).toEqual(header);
});

test('the key of the RFC is answered as the RFC says, and others are not', () => {
  expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  for (const key of [undefined, '', 'x', 'dGhlIHNhbXBsZSBub25jZQ=']) expect(acceptKey(key)).toBeUndefined();
});
