import { damagedState } from './state-files.ts';

/** What goes wrong with an engine and a state, each in a sentence with the command that helps. */

export interface Place {
  readonly stack: string;
  /** How its user calls the command, e.g. `npm run pulumi --`. */
  readonly cli: string;
  readonly passphraseFile: string;
  readonly stateDirectory: string;
  readonly engineVersion: string;
  /** Where the engine is kept that was downloaded or built. */
  readonly engineDirectory?: string;
  /** Keys of the stack's settings whose secret values cannot be read, where they are known. */
  readonly damagedSecrets?: readonly string[];
}

/** Pulumi does not say which; a wrong passphrase it calls wrong. */
export const DAMAGED_SECRET =
  /(validating stack config|could not decrypt configuration values?)[: ]+(cipher: message authentication failed|bad value|illegal base64)/;

const KNOWN: readonly (readonly [pattern: RegExp, words: (place: Place) => string])[] = [
  [
    /stack is currently locked by/,
    ({ stack, cli }) =>
      `Another run holds the state of stack ${stack}, or one that was killed left it locked. ` +
      `When none is running: ${cli} cancel --yes --stack ${stack}`,
  ],
  [
    DAMAGED_SECRET,
    ({ stack, cli, damagedSecrets = [] }) => {
      const keys = damagedSecrets.length > 0 ? damagedSecrets : ['KEY'];
      const found =
        damagedSecrets.length > 0
          ? `Secrets in the settings of stack ${stack} are damaged: ${damagedSecrets.join(', ')}. Set them`
          : `A secret in the settings of stack ${stack} is damaged: one for which ${cli} config get KEY --stack ${stack} fails. Set it`;
      return `${found} again: ${keys.map((key) => `${cli} config set --secret ${key} --stack ${stack}`).join(' && ')}`;
    },
  ],
  [
    /incorrect passphrase|message authentication failed/,
    ({ passphraseFile, stateDirectory }) =>
      `The passphrase in ${passphraseFile} is not the one that the secrets in ${stateDirectory} were written with. ` +
      'Put the right one there; without it the secrets of this state cannot be read.',
  ],
  [
    /passphrase must be set|unable to (find|read) (either `?PULUMI_CONFIG_PASSPHRASE|.*PASSPHRASE_FILE)|PULUMI_CONFIG_PASSPHRASE_FILE/,
    ({ passphraseFile, stateDirectory }) =>
      `The passphrase of the state in ${stateDirectory} is missing. Put it back into ${passphraseFile} (mode 0600).`,
  ],
  [
    /(newer|unsupported|unknown) (version of the Pulumi CLI|deployment version|schema version)|unsupported features|needs support for the following features|unsupported (checkpoint|deployment) version/i,
    ({ stateDirectory, engineVersion }) =>
      `The state in ${stateDirectory} was written by a newer Pulumi than ${engineVersion}. ` +
      'Use the version that wrote it: put that `pulumi` on PATH.',
  ],
  [
    /failed to load checkpoint/,
    ({ stack, stateDirectory, cli }) => {
      const { file, backup } = damagedState(stateDirectory, stack) ?? {};
      const found = `The state of stack ${stack} (${file ?? stateDirectory}) cannot be read: it is cut or damaged. `;
      if (file === undefined || backup === undefined)
        return `${found}No older one beside it is whole. Put a backup of yours there; without one: docs/operations.md, "A lost state".`;
      return `${found}The one before is whole: cp '${backup}' '${file}', then ${cli} refresh --stack ${stack}`;
    },
  ],
  [
    /no language plugin|failed to load language plugin/,
    ({ engineDirectory }) =>
      `The part of the engine that starts the program (pulumi-language-nodejs) is missing. ${engineDirectory === undefined ? 'Install the Pulumi CLI of PATH again, with all its parts.' : `Remove the engine, and the next run makes it again: rm -r '${engineDirectory}'`}`,
  ],
  [
    /could not (load|read) plugin|no resource plugin|failed to load plugin|plugin .* exited|could not start plugin|error starting plugin/i,
    ({ cli }) =>
      `A plugin of the engine does not start. Remove it, and the next run gets it once more: ${cli} plugin rm resource NAME --all --yes (which there are: ${cli} plugin ls).`,
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
  const known = adviceFor(text, place);
  return known === undefined ? text : `${known}\n${text}`;
}

/** A known problem in a sentence with what helps. @param said by Pulumi */
export function adviceFor(said: string, place: Place): string | undefined {
  return KNOWN.find(([pattern]) => pattern.test(said))?.[1](place);
}

/** Stack frames tell a user nothing. */
function withoutStack(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*(:\d+:\d+\)?|<anonymous>\)?)$/.test(line))
    .join('\n')
    .trim();
}
