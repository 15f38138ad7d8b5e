import { createServer, type Socket } from 'node:net';

export interface FakeRfb {
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that finished the handshake. */
  readonly loggedIn: number;
  /** Connections that left before the handshake was done: what Xvnc counts against its visitors. */
  readonly knocks: number;
  /** As a process that was stopped: connections are made, and nothing is answered to new ones. */
  isHanging: boolean;
  stop(): Promise<void>;
}

/** An RFB 3.8 server without security that echoes whatever comes after the handshake. */
export async function startFakeRfb(socketPath: string): Promise<FakeRfb> {
  const sockets = new Set<Socket>();
  let loggedIn = 0;
  let knocks = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    if (rfb.isHanging) {
      socket.on('close', () => sockets.delete(socket));
      return;
    }
    let received = Buffer.alloc(0);
    let isDone = false;
    socket.write('RFB 003.008\n');
    const onHandshake = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length === 12) socket.write(Buffer.from([1, 1]));
      if (received.length < 13) return;
      socket.write(Buffer.alloc(4));
      isDone = true;
      loggedIn += 1;
      socket.off('data', onHandshake);
      socket.pipe(socket);
    };
    socket.on('data', onHandshake);
    socket.on('close', () => {
      sockets.delete(socket);
      if (!isDone) knocks += 1;
    });
  });
  const rfb: FakeRfb = {
    isHanging: false,
    get open() {
      return sockets.size;
    },
    get loggedIn() {
      return loggedIn;
    },
    get knocks() {
      return knocks;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return rfb;
}
