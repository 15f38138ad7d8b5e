import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

export interface LinkOptions {
  /** Port on 127.0.0.1 that it leads to. */
  readonly port: number;
  /** Added to each round trip, half on each way. */
  readonly roundTripMs: number;
  /** Of each connection and direction by itself, as a long line limits each stream; absent: unlimited. */
  readonly bytesPerSecond?: number;
}

/** A listener that passes bytes on later and slower, as a network far away does. */
export async function slowLink(options: LinkOptions): Promise<{ port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(options.port, '127.0.0.1');
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      socket.on('error', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(later(options)).pipe(far);
    far.pipe(later(options)).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One way of the link. Each chunk leaves half a round trip after it came, and not before the line is free. */
export function later({ roundTripMs, bytesPerSecond }: LinkOptions): Transform {
  const queue: { chunk: Buffer; at: number }[] = [];
  let freeAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended: (() => void) | undefined;
  // Bytes on the way are as many as a line of this speed and length holds, with room to spare.
  const most = Math.max(1 << 20, ((bytesPerSecond ?? 1e9) * roundTripMs) / 1000);
  let underWay = 0;
  let waiting: (() => void) | undefined;
  const stage = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const now = performance.now();
      freeAt = Math.max(freeAt, now) + (bytesPerSecond ? (chunk.length * 1000) / bytesPerSecond : 0);
      queue.push({ chunk, at: freeAt + roundTripMs / 2 });
      underWay += chunk.length;
      release();
      if (underWay < most) done();
      else waiting = done;
    },
    flush(done) {
      ended = done;
      release();
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  function release(): void {
    const now = performance.now();
    for (let head = queue[0]; head !== undefined && head.at <= now; head = queue[0]) {
      queue.shift();
      underWay -= head.chunk.length;
      stage.push(head.chunk);
    }
    if (waiting !== undefined && underWay < most) {
      const go = waiting;
      waiting = undefined;
      go();
    }
    const next = queue[0];
    if (next === undefined) {
      // A timer of a chunk that has left already may still come.
      const end = ended;
      ended = undefined;
      end?.();
    } else if (timer === undefined) {
      timer = setTimeout(
        () => {
          timer = undefined;
          release();
        },
        Math.max(1, next.at - now),
      );
    }
  }
  return stage;
}
