import { lookup } from 'node:dns';
import { request } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';
import { connect as connectTls, rootCertificates } from 'node:tls';

/** One public call of Onedata, as the program makes it. The client of the sidecar is part of its image, not of this. */

export interface OnedataRequest {
  /** Host, with its port where that is not 443. */
  readonly host: string;
  readonly path: string;
  /** Sent as JSON by POST; absent: GET. */
  readonly body?: unknown;
  /** PEM bundle, trusted besides the well-known authorities. */
  readonly certificateAuthorities?: string | undefined;
  readonly signal: AbortSignal;
  /** A connection to it where its name does not lead there, e.g. from outside of its cluster. */
  readonly connect?: (() => Promise<Duplex>) | undefined;
}

/** @throws Error where no answer comes, or one that is not JSON. */
export type Ask = (
  request: OnedataRequest,
) => Promise<{ readonly status: number | undefined; readonly body: unknown }>;

/** RFC 6761 section 6.3: names under `localhost` are this machine, which the resolver of the C library does not know. */
const lookupWithLocalhost: LookupFunction = (hostname, options, callback) => {
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost');
  if (!isLocal)
    lookup(hostname, options, (error, address, family) => callback(error, address as string, family));
  else if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

export const askJson: Ask = ({ host, path, body, certificateAuthorities, signal, connect }) =>
  new Promise((resolve, reject) => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const url = new URL(path, `https://${host}`);
    const ca = certificateAuthorities ? { ca: [...rootCertificates, certificateAuthorities] } : {};
    const call = request(
      url,
      {
        method: sent === undefined ? 'GET' : 'POST',
        headers: { accept: 'application/json', ...(sent ? { 'content-type': 'application/json' } : {}) },
        signal,
        lookup: lookupWithLocalhost,
        ...ca,
        // An agent would make connections of its own.
        ...(connect === undefined
          ? { agent: false }
          : { createConnection: connection(connect, url.hostname, ca) }),
      },
      (answer) => {
        json(answer).then((parsed) => resolve({ status: answer.statusCode, body: parsed }), reject);
      },
    );
    call.on('error', reject);
    call.end(sent);
  });

type CreateConnection = (options: object, done: (error: Error | null, stream: Duplex) => void) => undefined;

/** TLS as by name, on a stream that is brought along. */
const connection =
  (connect: () => Promise<Duplex>, servername: string, ca: { readonly ca?: string[] }): CreateConnection =>
  (_options, done) => {
    connect().then(
      (socket) => done(null, connectTls({ socket, servername, ...ca })),
      (error: Error) => done(error, undefined as never),
    );
    return undefined;
  };
