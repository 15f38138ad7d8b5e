import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { createSecureContext, rootCertificates } from 'node:tls';
import { type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import type { ProxySettings } from './proxy.ts';

export interface DispatcherOptions {
  /** `https://host[:port]`. */
  readonly origin: string;
  /** PEM bundle, trusted besides the well-known authorities. */
  readonly certificateAuthorities?: string | undefined;
  readonly connections: number;
  /** Longest time without a byte, in milliseconds. */
  readonly stallTimeoutMs: number;
  readonly proxy: ProxySettings;
}

const CONNECT_TIMEOUT_MS = 15_000;

/** RFC 6761 section 6.3: names under `localhost` are this machine, which the resolver of the C library does not know. */
const lookupWithLocalhost: LookupFunction = (hostname, options, callback) => {
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost');
  if (!isLocal)
    lookup(hostname, options, (error, address, family) => callback(error, address as string, family));
  else if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

/** Connections to one host, through a proxy where one is set. TLS goes to the host itself in either case. */
export function makeDispatcher(options: DispatcherOptions): Dispatcher {
  const { certificateAuthorities, stallTimeoutMs } = options;
  const tls = {
    timeout: Math.min(CONNECT_TIMEOUT_MS, stallTimeoutMs),
    // One for all connections: the server ends each after some requests, and reading all authorities again takes 10 ms
    // of the processor and 2 MB each time.
    secureContext: createSecureContext(
      certificateAuthorities ? { ca: [...rootCertificates, certificateAuthorities] } : {},
    ),
  };
  const common = {
    connections: options.connections,
    pipelining: 1,
    bodyTimeout: stallTimeoutMs,
    headersTimeout: stallTimeoutMs,
    connect: { ...tls, lookup: lookupWithLocalhost },
  };
  const { httpsProxy, noProxy } = options.proxy;
  if (!httpsProxy) return new Pool(options.origin, common);
  // `requestTls` is not in the types of this class, which hands it on to the one that has it.
  const viaProxy = { ...common, httpsProxy, noProxy: noProxy ?? '', requestTls: tls };
  return new EnvHttpProxyAgent(viaProxy);
}
