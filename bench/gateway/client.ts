import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { ORDERS } from './desktop-process.ts';
import type { Peer } from './peers.ts';

const CHUNK_BYTES = 64 * 1024;

/** A frame of a browser; the mask of zeros is undone like any other. A bare proxy gets the payload alone. */
export function frame(peer: Peer, payload: Buffer): Buffer {
  if (!peer.isWebSocket) return payload;
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14);
  header[0] = 0x82;
  header[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (header.length === 8) header.writeUInt16BE(length, 2);
  if (header.length === 14) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

/** A connection to the desktop through the peer, which has said nothing yet. @throws Error where the peer refuses it */
export async function connectTo(peer: Peer): Promise<Socket> {
  const socket = connect({ port: peer.port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (peer.isWebSocket) {
    socket.write(
      `GET ${peer.path} HTTP/1.1\r\nHost: localhost:${peer.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: binary\r\n' +
        `Origin: http://localhost:${peer.port}\r\nCookie: ${peer.cookie}\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) {
      throw new Error(`${peer.name} refused the WebSocket: ${answer.toString('latin1').split('\r\n')[0]}`);
    }
    // A desktop that speaks first may do so in the same piece.
    const early = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
    if (early.length > 0) socket.unshift(early);
  }
  return socket;
}

/** A connection to the desktop that gives orders, with its order given. */
export async function open(peer: Peer, order: keyof typeof ORDERS, bytes = 0): Promise<Socket> {
  const socket = await connectTo(peer);
  const head = Buffer.alloc(9);
  head.write(ORDERS[order]);
  head.writeBigUInt64BE(BigInt(bytes), 1);
  socket.write(frame(peer, head));
  return socket;
}

/** Seconds until so many bytes have come from the desktop. */
export async function download(socket: Socket, bytes: number): Promise<number> {
  const began = performance.now();
  let left = bytes;
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) resolve();
    });
    socket.once('close', () => reject(new Error('the connection ended early')));
  });
  return (performance.now() - began) / 1000;
}

/** Seconds until the desktop says that all bytes are there. */
export async function upload(peer: Peer, socket: Socket, bytes: number): Promise<number> {
  const began = performance.now();
  const answered = once(socket, 'data');
  const chunk = frame(peer, Buffer.alloc(CHUNK_BYTES, 9));
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  await answered;
  return (performance.now() - began) / 1000;
}

/** Times of single keys to the desktop and back, in seconds. */
export async function roundTrips(peer: Peer, socket: Socket, count: number): Promise<number[]> {
  const key = frame(peer, Buffer.alloc(8, 1));
  const times: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const began = performance.now();
    socket.write(key);
    await once(socket, 'data');
    times.push((performance.now() - began) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return times;
}
