/** Stands for the VNC server: does what the first byte of a connection asks for. `node desktop-process.ts <socket>` */
import { createServer, type Socket } from 'node:net';

export const ORDERS = { echo: 'e', pour: 'p', swallow: 's' } as const;

const CHUNK = Buffer.alloc(256 * 1024, 7);

/** Sends as much as the other side takes, until it goes. */
function pour(socket: Socket): void {
  const more = () => {
    while (!socket.destroyed && socket.write(CHUNK));
  };
  socket.on('drain', more);
  more();
}

/** Answers once with a byte when so many bytes, which the order names, have come. */
function swallow(socket: Socket, bytes: number, first: number): void {
  let left = bytes - first;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) socket.write('!');
  });
}

const path = process.argv[2];
if (path !== undefined && import.meta.main) {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    let head = Buffer.alloc(0);
    const onHead = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      if (head.length < 9) return;
      socket.off('data', onHead);
      const order = String.fromCharCode(head[0] as number);
      if (order === ORDERS.pour) pour(socket);
      else if (order === ORDERS.swallow) swallow(socket, Number(head.readBigUInt64BE(1)), head.length - 9);
      else {
        // The first key may have come in one piece with the order.
        if (head.length > 9) socket.write(head.subarray(9));
        socket.on('data', (data: Buffer) => socket.write(data));
      }
    };
    socket.on('data', onHead);
  }).listen(path, () => process.stdout.write('ready\n'));
}
