import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { Glob } from '../sidecar/contract/glob.ts';
import { isClosed, networkOf } from './networks.ts';

/** Texts whose meaning a regular expression alone does not hold. Pure; each says whether a text is one. */

/** What an editor can check of texts that are judged below: each takes all that is right, and some that is not. */
export const CIDR_SHAPE = /^[0-9A-Fa-f:.]+\/\d{1,3}$/;
export const PATH_SHAPE = /^(?:\/[A-Za-z0-9][-A-Za-z0-9_.]*)+$/;
export const QUALIFIED_NAME_SHAPE =
  /^(?:[-a-z0-9.]{1,253}\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
export const GLOB_SHAPE = /^(?!\/*(?:[\s!]|$))(?!(?:.*\/)?\.\.?(?:\/|$))/;

/** DNS label, RFC 1123. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Name of a Kubernetes object, whose labels may be longer than those of the DNS. */
export const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** `namespace/name`. */
export const NAMESPACED_NAME = new RegExp(
  `^${DNS_LABEL.source.slice(1, -1)}\\/${OBJECT_NAME.source.slice(1, -1)}$`,
);
/** What the API server and a process can hold. */
export const isStorable = (text: string) => !text.includes('\0') && text.isWellFormed();
/** Onedata's have 38 characters; a token is longer. */
export const SPACE_ID = /^[A-Za-z0-9_-]{1,59}$/;
export const SPACE_MOUNT = /^(csi-onedata|claim\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/;
const CLAIM = 'claim/';
/** A claim that somebody else made shows the space: no token is needed for it, and another claim is another space. */
export const claimOf = (mount: string | undefined): string | undefined =>
  mount?.startsWith(CLAIM) ? mount.slice(CLAIM.length) : undefined;

/** Name that the DNS can have: labels of at most 63, at most 253 in all; no address. */
export function isHostName(text: string): boolean {
  const labels = text.split('.');
  return (
    text.length <= 253 && labels.every((label) => DNS_LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '')
  );
}

/** Address of an OpenID provider: what it says of itself is found below it. */
export function isIssuer(text: string): boolean {
  if (!URL.canParse(text) || /[\s\p{Cc}]/u.test(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isPlain = [username, password, search, hash].every((part) => part === '') && !/[?#]/.test(text);
  return protocol === 'https:' && isPlain && (isHostName(hostname) || isIP(hostname) === 4);
}

/** Host name or IPv4 address, with `:port` where one is given. */
export function isHost(text: string): boolean {
  const [host = '', port, ...more] = text.split(':');
  const isPort = port === undefined || (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535);
  return more.length === 0 && isPort && (isHostName(host) || isIP(host) === 4);
}

const REGISTRY =
  '(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*(?::[1-9]\\d{0,4})?/)?';
const NAME_PART = '[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*';
const TAG = '[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}';
const REPOSITORY_NAME = `${REGISTRY}${NAME_PART}(?:/${NAME_PART})*`;

/** @see https://pkg.go.dev/github.com/distribution/reference the grammar of image names */
export const IMAGE_REPOSITORY = new RegExp(`^${REPOSITORY_NAME}$`);
/** With a tag, a digest or both: without either it would be whatever is the latest. */
export const IMAGE_REFERENCE = new RegExp(
  `^${REPOSITORY_NAME}(?::${TAG}(?:@sha256:[a-f0-9]{64})?|@sha256:[a-f0-9]{64})$`,
);

/** Key of a Kubernetes label or annotation: `name` or `prefix/name`. */
export function isQualifiedName(text: string): boolean {
  const [name = '', prefix, ...more] = text.split('/').reverse();
  return (
    more.length === 0 &&
    /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name) &&
    (prefix === undefined ||
      (prefix.length <= 253 && prefix.split('.').every((label) => DNS_LABEL.test(label))))
  );
}

/** Annotations that the program or Pulumi sets and reads. */
export const isOwnAnnotation = (key: string) => /^([^/]*\.)?(pulumi\.com|scipion-instances\.org)\//.test(key);

/** A pattern for paths inside a space; one that leads out of it, or is not closed, would silently match nothing. */
export const isGlob = (pattern: string): boolean => Glob.parse(pattern) !== undefined;

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s[\s\S]*?-----END \1-----/g;

/** One certificate or more and nothing else but comments. */
export function isCertificateBundle(text: string): boolean {
  const blocks = text.match(PEM_BLOCK) ?? [];
  const isCertificate = (block: string) => {
    try {
      return (
        block.startsWith('-----BEGIN CERTIFICATE-----') && new X509Certificate(block).subject !== undefined
      );
    } catch {
      return false;
    }
  };
  const rest = text.replace(PEM_BLOCK, '');
  return blocks.length > 0 && !rest.includes('-----') && blocks.every(isCertificate);
}

/** Runs of the characters of tokens and keys that mix cases and digits: longer than any name, id or digest. */
const TOKEN_RUN = /[A-Za-z0-9_+/=-]{40,}/g;
const isMixed = (run: string) => /[a-z]/.test(run) && /[A-Z]/.test(run) && /\d/.test(run);

/** Whether a text may hold a secret that was put under the wrong key: it is never shown then. */
export const mayHoldSecret = (text: string) =>
  text.includes('PRIVATE KEY') || (text.match(TOKEN_RUN) ?? []).some(isMixed);

/** One token as Onedata shows it: too long for a name, no spaces. */
export const isToken = (text: string) => /^[A-Za-z0-9_+/=.:~-]{20,16384}$/.test(text);

/** Kubernetes quantity of whole things. */
export const QUANTITY = /^[1-9]\d{0,9}$/;

const OWN_PATHS = [
  '/mnt/vol-dataset',
  '/mnt/vol-project',
  '/run',
  '/tmp',
  '/home/scipion',
  '/etc',
  '/opt/scipion',
  '/usr',
];
const OWN_ROOTS = ['/bin', '/dev', '/lib', '/lib64', '/proc', '/sbin', '/sys', '/volumes', '/spaces'];

/** Absolute path that hides nothing of the image and of the instance. */
export function isMountPath(path: string): boolean {
  const isPlain = /^(\/[A-Za-z0-9][-A-Za-z0-9_.]*)+$/.test(path) && path.length <= 255;
  const hides = (own: string) => own === path || own.startsWith(`${path}/`) || path.startsWith(`${own}/`);
  return isPlain && ![...OWN_PATHS, ...OWN_ROOTS].some(hides);
}

/** Plain proxy, none of the addresses that are closed always; a password in it would stand in clear in the cluster. */
export function isProxy(text: string): boolean {
  const found = /^http:\/\/([^/@]+)\/?$/.exec(text)?.[1];
  return found?.includes(':') === true && isHost(found) && !isClosed(networkOf(found) ?? '0.0.0.0/0');
}
