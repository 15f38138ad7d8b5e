/** Every name of an object of the site, and where the files of its console are. */

export const NAMES = {
  /** Of nearly everything in the console's namespace. */
  console: 'scipion-console',
  config: 'scipion-console-config',
  secrets: 'scipion-console-secrets',
  state: 'scipion-console-state',
  defaultDeny: 'scipion-console-default-deny',
  certificateSolverPolicy: 'scipion-console-certificate-solver',
  /** Of the rights, outside every namespace. */
  rights: 'scipion-console',
} as const;

export const PORT = 8090;
export const PORT_NAME = 'http';

/** Its state, settings and secrets, as `console/image` starts it with. */
export const FOLDERS = {
  state: '/var/lib/scipion-console',
  config: '/etc/scipion-console/config',
  secrets: '/etc/scipion-console/secrets',
  /** Where whatever runs in a pod looks for its token. */
  account: '/var/run/secrets/kubernetes.io/serviceaccount',
} as const;

/** Files of the ConfigMap. */
export const CONFIG_FILES = { console: 'console.json', project: 'Pulumi.yaml' } as const;

/** Secret key of the stack → file of the Secret. */
export const SECRET_FILES = {
  passphrase: 'passphrase',
  signInClientSecret: 'client-secret',
  webhookToken: 'webhook-token',
  awsCredentials: 'aws-credentials',
  googleCredentials: 'google-credentials.json',
  postgresPasswords: 'pgpass',
} as const;
export type SiteSecretKey = keyof typeof SECRET_FILES;

/** Variables of the console's process that name such a file; that of PostgreSQL the image copies itself. */
export const SECRET_VARIABLES: Partial<Record<SiteSecretKey, string>> = {
  passphrase: 'PULUMI_CONFIG_PASSPHRASE_FILE',
  awsCredentials: 'AWS_SHARED_CREDENTIALS_FILE',
  googleCredentials: 'GOOGLE_APPLICATION_CREDENTIALS',
};
