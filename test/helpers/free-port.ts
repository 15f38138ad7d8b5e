import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that Linux gives to clients and to who listens on 0 (from 32768), so that nobody else on the machine
 * is given one of these meanwhile.
 */
const FIRST = 12_000;
const PORTS_PER_PROCESS = 200;
const PROCESSES = 90;

/** Of files that run at once each has another one; where there are none, as in a benchmark, it is 0. */
const slot = Number(process.env.VITEST_POOL_ID ?? 0) % PROCESSES;
/** The files of one slot run one after the other: what a client of the one before still asks for is not ours. */
let next = process.pid % PORTS_PER_PROCESS;

/** A port of 127.0.0.1 to listen on later, by us or by a program that we start: no port is given twice. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS_PER_PROCESS; tries += 1) {
    const port = FIRST + slot * PORTS_PER_PROCESS + next;
    next = (next + 1) % PORTS_PER_PROCESS;
    if (await isFree(port)) return port;
  }
  const last = FIRST + (slot + 1) * PORTS_PER_PROCESS - 1;
  throw new Error(
    `Each port from ${last - PORTS_PER_PROCESS + 1} to ${last} of 127.0.0.1 is taken (ss -ltnp)`,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
