export interface ProxySettings {
  /** Absent or empty: none. */
  readonly httpsProxy?: string | undefined;
  /** Names that are reached directly, as in NO_PROXY. */
  readonly noProxy?: string | undefined;
}

/** What HTTPS_PROXY and NO_PROXY say. */
export const proxyOfEnvironment = (): ProxySettings => ({
  httpsProxy: process.env.https_proxy ?? process.env.HTTPS_PROXY,
  noProxy: process.env.no_proxy ?? process.env.NO_PROXY,
});
