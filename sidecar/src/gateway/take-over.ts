import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** What Node keeps at a socket: the connection itself. */
type WithHandle = { _handle: object | null };

/**
 * Takes the connection from a socket that a server accepted, and returns one that reads it into the caller's memory.
 *
 * Node offers that (`onread`) only for connections that a program opens itself. One that was accepted is read into 64 KiB
 * of new memory each time, and collecting these is most of what a transfer from the browser costs. `handle` and `_handle`
 * are no documented interface of Node; every test of the relay fails when they change. The accepted socket ends with the
 * returned one and the other way round, so that whoever counts connections goes on counting. Nothing may be on its way
 * out of it.
 */
export function takeOver(accepted: Socket, onread: OnReadOpts): { socket: Socket; early: Buffer } {
  const pieces: Buffer[] = [];
  for (let piece = accepted.read(); piece !== null; piece = accepted.read()) pieces.push(piece as Buffer);
  const holder = accepted as unknown as WithHandle;
  const options = { handle: holder._handle, allowHalfOpen: true, onread } as SocketConstructorOpts;
  const socket = new Socket(options);
  holder._handle = null;
  socket.on('error', () => socket.destroy());
  socket.once('close', () => accepted.destroy());
  accepted.once('close', () => socket.destroy());
  return { socket, early: Buffer.concat(pieces) };
}
