import { X509Certificate } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import * as z from 'zod';

/**
 * Whether a kubeconfig leads to a cluster at all, judged before anything uses it. The Kubernetes provider asks a user
 * without credentials for a name and a password, on a terminal that it does not have, and waits for them without end.
 * Asks no cluster, runs no command, and shows no secret.
 */

/** Where a kubeconfig leads. */
export interface ClusterAccess {
  /** Why it leads to no cluster; undefined where nothing is wrong that can be seen from here. */
  readonly problem?: AccessProblem;
  /** Address of the API server; undefined where there is a problem, and inside of a pod. */
  readonly address?: string | undefined;
  /** What the user logs in with, where that is a command. */
  readonly login?: LoginCommand | undefined;
}

/** A command that prints credentials, as kubectl and the provider run it: at each use, and with no bound of their own. */
export interface LoginCommand {
  /** A path, or a name on PATH. */
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Whose login it is, for messages. */
  readonly who: string;
  /** How to see what it does. */
  readonly check: string;
}

export interface AccessSettings {
  /** Path or content, as `kubernetes:kubeconfig` holds it; absent: KUBECONFIG, else ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  /** Absent: the current one of the kubeconfig. */
  readonly context?: string | undefined;
  readonly environment?: NodeJS.ProcessEnv;
  readonly home?: string;
  readonly now?: Date;
}

export interface AccessProblem {
  /** What was found, what was expected, and the command that helps. */
  readonly message: string;
  /** The provider would wait without end, in a preview too. */
  readonly isEndless: boolean;
}

const text = z.string().nullish();
const execSchema = z.looseObject({
  apiVersion: text,
  command: text,
  args: z.array(z.string()).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
  installHint: text,
});
const userSchema = z.looseObject({
  token: text,
  tokenFile: text,
  username: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  exec: execSchema.nullish(),
  'auth-provider': z.unknown().optional(),
});
const clusterSchema = z.looseObject({
  server: text,
  'certificate-authority': text,
  'certificate-authority-data': text,
});
const contextSchema = z.looseObject({ cluster: text, user: text });
const listOf = <T extends z.ZodType>(key: string, value: T) =>
  z
    .array(z.looseObject({ name: z.string(), [key]: value.nullish() }))
    .nullish()
    .transform(
      (list) => (list ?? []) as unknown as readonly ({ name: string } & Record<string, z.infer<T>>)[],
    );
const fileSchema = z.looseObject({
  'current-context': text,
  contexts: listOf('context', contextSchema),
  clusters: listOf('cluster', clusterSchema),
  users: listOf('user', userSchema),
});

type User = z.infer<typeof userSchema>;
type Cluster = z.infer<typeof clusterSchema>;

/** An entry, and what its relative paths start from. */
interface Entry<T> {
  readonly name: string;
  readonly value: T;
  readonly folder: string;
}

interface Merged {
  /** Files or the setting, for messages. */
  readonly place: string;
  readonly current: string;
  readonly contexts: readonly Entry<z.infer<typeof contextSchema>>[];
  readonly clusters: readonly Entry<Cluster>[];
  readonly users: readonly Entry<User>[];
}

class Problem extends Error {
  readonly isEndless: boolean;
  constructor(message: string, isEndless = false) {
    super(message);
    this.isEndless = isEndless;
  }
}

/** The provider takes a path or the content itself; only content has a line `clusters:`. */
export const isKubeconfigContent = (given: string): boolean => /^\s*("?clusters"?\s*:|\{)/m.test(given);

export function clusterAccess(settings: AccessSettings = {}): ClusterAccess {
  try {
    const merged = readAll(settings);
    return merged === undefined ? {} : judge(merged, settings);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { problem: { message: error.message, isEndless: error.isEndless } };
  }
}

/** undefined: a pod, which the cluster itself lets in. */
function readAll({ kubeconfig, environment = process.env, home = homedir() }: AccessSettings) {
  if (kubeconfig) {
    if (isKubeconfigContent(kubeconfig)) {
      const place = 'The kubeconfig in kubernetes:kubeconfig';
      return merge(place, [{ file: parseFile(place, kubeconfig), folder: process.cwd() }]);
    }
    const found = readFile(kubeconfig);
    if (found !== undefined) return merge(kubeconfig, [found]);
    throw new Problem(
      `The kubeconfig ${kubeconfig} of this stack is not there. ` +
        'Set another one (pulumi config set kubernetes:kubeconfig FILE), or use that of your shell: pulumi config rm kubernetes:kubeconfig',
    );
  }
  const listed = (environment.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  const paths = listed.length > 0 ? listed : [resolve(home, '.kube', 'config')];
  const files = paths.map(readFile).filter((file) => file !== undefined);
  if (files.length > 0) return merge(paths.join(' and '), files);
  if (environment.KUBERNETES_SERVICE_HOST) return undefined;
  throw new Problem(
    `There is no kubeconfig: found none at ${paths.join(' or ')}. Get one from whoever runs the cluster, then: export KUBECONFIG=FILE`,
  );
}

interface ReadFile {
  readonly file: z.infer<typeof fileSchema>;
  readonly folder: string;
}

const REASONS: Readonly<Record<string, string>> = {
  EISDIR: 'found a folder, expected a file',
  EACCES: 'reading it is not permitted',
};

/** undefined where there is none. */
function readFile(path: string): ReadFile | undefined {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Problem(
      `The kubeconfig ${path} cannot be read: ${REASONS[code] ?? code}. Name the file itself: export KUBECONFIG=FILE`,
    );
  }
  return { file: parseFile(`The kubeconfig ${path}`, content), folder: dirname(resolve(path)) };
}

/** Says where it is wrong, and nothing of what stands there. */
function parseFile(what: string, content: string): z.infer<typeof fileSchema> {
  const again = 'Fetch it again from whoever runs the cluster, then look at it: kubectl config view';
  let parsed: unknown;
  try {
    parsed = parse(content, { logLevel: 'error' });
  } catch (error) {
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    throw new Problem(`${what} is not YAML${line === undefined ? '' : ` (line ${line})`}. ${again}`);
  }
  const { data, error } = fileSchema.safeParse(parsed ?? {});
  if (data !== undefined) return data;
  const at = error.issues[0]?.path.join('.') ?? '';
  throw new Problem(`${what} has another form than a kubeconfig${at === '' ? '' : ` (at ${at})`}. ${again}`);
}

/** As kubectl does: of several files the first one that says something counts. */
function merge(place: string, files: readonly ReadFile[]): Merged {
  const all = <K extends 'contexts' | 'clusters' | 'users', T>(kind: K, key: string) =>
    files.flatMap(({ file, folder }) =>
      file[kind].map((entry): Entry<T> => ({ name: entry.name, value: (entry[key] ?? {}) as T, folder })),
    );
  return {
    place,
    current: files.map(({ file }) => file['current-context'] ?? '').find((name) => name !== '') ?? '',
    contexts: all('contexts', 'context'),
    clusters: all('clusters', 'cluster'),
    users: all('users', 'user'),
  };
}

/** @throws Problem */
function judge(
  merged: Merged,
  { context, environment = process.env, now = new Date() }: AccessSettings,
): ClusterAccess {
  const { place } = merged;
  const names = merged.contexts.map(({ name }) => name);
  const choose =
    names.length === 0
      ? 'It has none. Fetch it again from whoever runs the cluster.'
      : `It has ${names.join(', ')}. Choose one: kubectl config use-context ${names[0]} (for one stack: pulumi config set kubernetes:context ${names[0]})`;
  const name = context || merged.current;
  if (name === '') throw new Problem(`No context is chosen in ${place}. ${choose}`);
  const chosen = merged.contexts.find((entry) => entry.name === name)?.value;
  if (chosen === undefined) throw new Problem(`There is no context "${name}" in ${place}. ${choose}`);
  const check = `then check it: kubectl --context ${name} auth whoami`;
  const cluster = merged.clusters.find((entry) => entry.name === chosen.cluster);
  if (!cluster?.value.server)
    throw new Problem(
      `Context "${name}" in ${place} names the cluster "${chosen.cluster ?? ''}", which has no address there. ` +
        `Set it: kubectl config set-cluster ${chosen.cluster ?? 'NAME'} --server=https://HOST:6443, ${check}`,
    );
  assertAuthority(cluster, `cluster "${cluster.name}" in ${place}`, check);
  const address = cluster.value.server;
  if (!address.startsWith('https:')) return { address }; // nobody logs in there
  const user = merged.users.find((entry) => entry.name === chosen.user);
  const who = `user "${chosen.user ?? ''}" in ${place}`;
  if (user === undefined || !hasCredentials(user.value))
    throw new Problem(
      `There are no credentials for ${who}: expected a token, a client certificate or a login command. ` +
        `Log in to the cluster again or fetch a new kubeconfig, ${check}`,
      true,
    );
  assertCredentials(user, who, { environment, now, check });
  return { address, login: loginOf(user, who, check) };
}

function loginOf({ value: { exec }, folder }: Entry<User>, who: string, check: string) {
  if (!exec) return undefined;
  const { command, args, env, apiVersion } = exec;
  const given = command ?? '';
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  return {
    command: given.includes('/') ? resolve(folder, given) : given,
    args: args ?? [],
    environment: {
      ...Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    },
    who,
    check,
  };
}

const hasCredentials = (user: User): boolean =>
  [
    user.token,
    user.tokenFile,
    user.username,
    user['client-certificate'],
    user['client-certificate-data'],
  ].some(Boolean) || Boolean(user.exec ?? user['auth-provider']);

function assertAuthority({ value, folder }: Entry<Cluster>, what: string, check: string): void {
  const pem = pemOf(value, 'certificate-authority', folder, what, check);
  if (pem === undefined || certificateIn(pem) !== undefined) return;
  throw new Problem(
    `The certificate-authority of ${what} is no certificate. Fetch a new kubeconfig, ${check}`,
  );
}

interface Circumstances {
  readonly environment: NodeJS.ProcessEnv;
  readonly now: Date;
  readonly check: string;
}

function assertCredentials({ value: user, folder }: Entry<User>, who: string, given: Circumstances): void {
  const { environment, now, check } = given;
  const again = `Log in to the cluster again or fetch a new kubeconfig, ${check}`;
  if (user.exec) {
    const command = user.exec.command ?? '';
    if (!isRunnable(command, folder, environment.PATH ?? '')) {
      const hint = user.exec.installHint ? ` (${user.exec.installHint.split('\n')[0]?.trim()})` : '';
      throw new Problem(
        `The login command "${command}" of ${who} is not on PATH. Install it${hint}, ${check}`,
      );
    }
  }
  if (user.tokenFile) readPart(user.tokenFile, folder, `The tokenFile of ${who}`, again);
  if (user['client-key']) readPart(user['client-key'], folder, `The client-key of ${who}`, again);
  const pem = pemOf(user, 'client-certificate', folder, who, again);
  if (pem !== undefined) {
    const certificate = certificateIn(pem);
    if (certificate === undefined)
      throw new Problem(`The client-certificate of ${who} is no certificate. ${again}`);
    if (certificate.validToDate < now)
      throw new Problem(
        `The client certificate of ${who} ended at ${certificate.validToDate.toISOString()}. ${again}`,
      );
  }
  const end = user.token ? endOfToken(user.token) : undefined;
  if (end !== undefined && end < now)
    throw new Problem(`The token of ${who} ended at ${end.toISOString()}. ${again}`);
}

function isRunnable(command: string, folder: string, path: string): boolean {
  const places = command.includes('/')
    ? [resolve(folder, command)]
    : path.split(delimiter).map((directory) => resolve(directory, command));
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return command !== '';
    } catch {
      return false;
    }
  });
}

/** Of a pair `key` (a file) and `key-data` (base64); the second counts where both are there. */
function pemOf(
  entry: Readonly<Record<string, unknown>>,
  key: string,
  folder: string,
  what: string,
  advice: string,
): string | undefined {
  const [data, path] = [entry[`${key}-data`], entry[key]];
  if (typeof data === 'string' && data !== '') return Buffer.from(data, 'base64').toString('latin1');
  if (typeof path !== 'string' || path === '') return undefined;
  return readPart(path, folder, `The ${key} of ${what}`, advice);
}

function readPart(path: string, folder: string, what: string, advice: string): string {
  try {
    return readFileSync(resolve(folder, path), 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Problem(`${what} is not readable: ${resolve(folder, path)} (${code}). ${advice}`);
  }
}

function certificateIn(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Of a service account's token and others that say it themselves. */
function endOfToken(token: string): Date | undefined {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp?: unknown;
    };
    return typeof exp === 'number' ? new Date(exp * 1000) : undefined;
  } catch {
    return undefined;
  }
}
