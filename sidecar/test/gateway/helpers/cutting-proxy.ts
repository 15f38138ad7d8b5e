import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Where the connection is cut, once: when so much of the last part has gone to the gateway, or come back of its answer. */
export type Cut =
  | { readonly at: 'request'; readonly bytes: (head: number, body: number) => number }
  | { readonly at: 'answer'; readonly bytes: number };

export interface CuttingProxy {
  readonly origin: string;
  /** Of bodies of parts that went to the gateway. */
  readonly bodyBytes: number;
  readonly cuts: number;
  stop(): Promise<void>;
}

const PART = /^PUT \/uploads\/\w+\?offset=(\d+) [\s\S]*?\r\ncontent-length: (\d+)\r\n/i;

/** A line to the gateway that breaks in the first request that would complete a file of `size` bytes. */
export async function startCuttingProxy(target: string, size: number, cut: Cut): Promise<CuttingProxy> {
  let [bodyBytes, cuts] = [0, 0];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const gateway = connect(Number(new URL(target).port), 'localhost');
    for (const socket of [client, gateway]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        gateway.destroy();
      });
    }
    const breakOff = () => {
      cuts += 1;
      client.destroy();
      gateway.destroy();
    };
    /** Of the request that is cut: what may still pass, and what passes of its answer. */
    let left: number | undefined;
    let answerLeft: number | undefined;
    client.on('data', (chunk) => {
      let passing = chunk;
      const [head, offset, length] = PART.exec(chunk.toString('latin1')) ?? [];
      const headBytes = chunk.indexOf('\r\n\r\n') + 4;
      if (head !== undefined && cuts === 0 && Number(offset) + Number(length) === size) {
        if (cut.at === 'request') left = cut.bytes(headBytes, Number(length));
        else answerLeft = cut.bytes;
      }
      if (left !== undefined) {
        passing = chunk.subarray(0, left);
        left -= passing.length;
      }
      bodyBytes += head === undefined ? passing.length : Math.max(0, passing.length - headBytes);
      if (/^(POST|GET|DELETE) /.test(chunk.toString('latin1'))) bodyBytes -= passing.length;
      if (left !== 0) gateway.write(passing);
      else gateway.write(passing, () => breakOff());
    });
    gateway.on('data', (chunk) => {
      if (answerLeft === undefined) {
        client.write(chunk);
      } else {
        client.write(chunk.subarray(0, answerLeft), () => breakOff());
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    origin: `http://127.0.0.1:${port}`,
    get bodyBytes() {
      return bodyBytes;
    },
    get cuts() {
      return cuts;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
