import { lookup } from 'node:dns';
import { request } from 'node:https';
import type { LookupFunction } from 'node:net';
import { json } from 'node:stream/consumers';
import { rootCertificates } from 'node:tls';

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

export const askJson: Ask = ({ host, path, body, certificateAuthorities, signal }) =>
  new Promise((resolve, reject) => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const call = request(
      new URL(path, `https://${host}`),
      {
        method: sent === undefined ? 'GET' : 'POST',
        headers: { accept: 'application/json', ...(sent ? { 'content-type': 'application/json' } : {}) },
        signal,
        lookup: lookupWithLocalhost,
        agent: false,
        ...(certificateAuthorities ? { ca: [...rootCertificates, certificateAuthorities] } : {}),
      },
      (answer) => {
        json(answer).then((parsed) => resolve({ status: answer.statusCode, body: parsed }), reject);
      },
    );
    call.on('error', reject);
    call.end(sent);
  });
