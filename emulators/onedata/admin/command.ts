import { request } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * One call of the admin API over its socket: writes the answer to `output`, streams `input` as the body where one is
 * given. Resolves with the HTTP status.
 */
export async function callAdmin(args: {
  socket: string;
  method: string;
  path: string;
  input?: Readable | string;
  output: Writable;
}): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    const call = request({ socketPath: args.socket, method: args.method, path: args.path }, (response) => {
      pipeline(response, args.output, { end: false }).then(() => resolve(response.statusCode ?? 0), reject);
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      const isAbsent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      reject(
        isAbsent
          ? new Error(
              `no Onedata emulator answers at ${args.socket}: start it with "npm run onedata" or give --socket`,
            )
          : error,
      );
    });
    if (args.input === undefined || typeof args.input === 'string') call.end(args.input ?? '');
    else pipeline(args.input, call).catch(reject);
  });
}
