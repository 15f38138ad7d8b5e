import { createServer } from 'node:net';

/**
 * A port of 127.0.0.1 to listen on: `wanted` when given (an error if it is taken), else `usual`, else a free one.
 */
export async function choosePort(what: string, wanted: number | undefined, usual: number): Promise<number> {
  if (await isFree(wanted ?? usual)) return wanted ?? usual;
  if (wanted === undefined) return freePort();
  throw new Error(
    `Port ${wanted} of 127.0.0.1, wanted for the cluster's ${what}, is taken by another program ` +
      `(ss -ltnp "sport = :${wanted}" names it). End that program or choose another port.`,
  );
}

function isFree(port: number): Promise<boolean> {
  return listen(port).then(
    () => true,
    () => false,
  );
}

function freePort(): Promise<number> {
  return listen(0);
}

/** Listens for a moment and returns the port it got. */
function listen(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const got = typeof address === 'object' && address ? address.port : port;
      server.close(() => resolve(got));
    });
  });
}
