/** What goes wrong with an engine and a state, each in a sentence with the command that helps. */

export interface Place {
  readonly stack: string;
  /** How its user calls the command, e.g. `npm run pulumi --`. */
  readonly cli: string;
  readonly passphraseFile: string;
  readonly stateDirectory: string;
  readonly engineVersion: string;
}

const KNOWN: readonly (readonly [pattern: RegExp, words: (place: Place) => string])[] = [
  [
    /stack is currently locked by/,
    ({ stack, cli }) =>
      `Another run holds the state of stack ${stack}, or one that was killed left it locked. ` +
      `When none is running: ${cli} cancel --yes --stack ${stack}`,
  ],
  [
    /incorrect passphrase|message authentication failed/,
    ({ passphraseFile, stateDirectory }) =>
      `The passphrase in ${passphraseFile} is not the one that the secrets in ${stateDirectory} were written with. ` +
      'Put the right one into that file; without it the secrets of this state cannot be read.',
  ],
  [
    /passphrase must be set|unable to (find|read) (either `?PULUMI_CONFIG_PASSPHRASE|.*PASSPHRASE_FILE)|PULUMI_CONFIG_PASSPHRASE_FILE/,
    ({ passphraseFile, stateDirectory }) =>
      `The passphrase of the state in ${stateDirectory} is missing. Put it back into ${passphraseFile} (mode 0600).`,
  ],
  [
    /(newer|unsupported|unknown) (version of the Pulumi CLI|deployment version|schema version)|unsupported features|unsupported (checkpoint|deployment) version/i,
    ({ stateDirectory, engineVersion }) =>
      `The state in ${stateDirectory} was written by a newer Pulumi than ${engineVersion}. ` +
      'Use the version that wrote it: put that `pulumi` on PATH.',
  ],
  [
    /could not (load|read) plugin|no resource plugin|failed to load plugin|plugin .* exited|could not start plugin|error starting plugin/i,
    ({ cli }) =>
      `A plugin of the engine does not start. Which are there: ${cli} plugin ls. Remove it there and run again to get it once more.`,
  ],
  [
    /Unauthorized|must be logged in|asked for the client to provide credentials/,
    () =>
      'The cluster does not accept the credentials of the kubeconfig; they may have ended. Log in again or fetch a new kubeconfig, then check it: kubectl auth whoami',
  ],
  [
    /x509: |failed to verify certificate|tls: failed to verify/,
    () =>
      'The cluster shows a certificate that the kubeconfig does not know: it is of another cluster, or its certificate-authority is old. Fetch a new kubeconfig, then check it: kubectl cluster-info',
  ],
  [
    /proxyconnect|Proxy (Authentication|Connect)/i,
    () =>
      'The proxy in HTTPS_PROXY does not let through to the cluster. Correct it, or leave the cluster out: export NO_PROXY=HOST-OF-THE-CLUSTER',
  ],
  [
    /TLS handshake timeout|Client\.Timeout|context deadline exceeded|request canceled while waiting/,
    () =>
      'The Kubernetes cluster takes connections and does not answer. See what it says: kubectl cluster-info',
  ],
  [
    /cluster is unreachable|connection refused|no such host|i\/o timeout|certificate signed by unknown authority/i,
    () =>
      'The Kubernetes cluster cannot be reached. See what answers: kubectl cluster-info (npm run local -- status).',
  ],
  [
    /no space left on device|ENOSPC/,
    ({ stateDirectory }) =>
      `The disk of ${stateDirectory} is full. The state is as it was before the last step. Make room (df -h) and run it again.`,
  ],
];

/**
 * Words for a failed run: a known problem in a sentence with what helps, then what was said.
 * @param said errors of engine and program, the most telling ones
 */
export function describeFailure(said: readonly string[], place: Place): string {
  const text = said.map(withoutStack).join('\n').trim();
  const known = KNOWN.find(([pattern]) => pattern.test(text));
  return known ? `${known[1](place)}\n${text}` : text;
}

/** Stack frames tell a user nothing. */
function withoutStack(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*(:\d+:\d+\)?|<anonymous>\)?)$/.test(line))
    .join('\n')
    .trim();
}
