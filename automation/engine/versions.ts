/**
 * What was tried together: one pair of SDK and engine, and the providers under the versions that their SDKs ask for.
 * `test/engine` runs with exactly these, so a new pair is tried before it is taken.
 */
export const VERSIONS = {
  /** `@pulumi/pulumi` in package.json. */
  sdk: '3.270.0',
  /** The engine that is downloaded or built; `go/pulumi/go.mod` names the same. */
  engine: '3.276.0',
  /** The oldest engine on PATH that is taken: older ones were not tried with this SDK. */
  oldestEngine: '3.259.0',
  /** Providers by name; each is the version of its SDK in package.json. */
  plugins: { kubernetes: '4.34.2', random: '4.21.2' },
} as const;

export type PluginName = keyof typeof VERSIONS.plugins;
export const PLUGIN_NAMES = Object.keys(VERSIONS.plugins) as readonly PluginName[];

/** Whether an engine on PATH can be used, e.g. `v3.276.0` or `3.259.1-dev`. */
export function isSupported(version: string): boolean {
  const parts = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  const oldest = VERSIONS.oldestEngine.split('.').map(Number);
  if (!parts || parts[0] !== oldest[0]) return false;
  return parts[1] === oldest[1]
    ? (parts[2] as number) >= (oldest[2] as number)
    : (parts[1] as number) > (oldest[1] as number);
}
