import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const CA_DAYS = 3650;
const LEAF_DAYS = 825; // the longest that Apple's systems accept

export interface CertificateRequest {
  readonly commonName: string;
  /** Kubernetes reads it as the group of a client. */
  readonly organization?: string;
  /** DNS names and IP addresses that a server certificate is good for. */
  readonly hosts?: readonly string[];
}

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority on disk: `<directory>/<name>.crt` and `.key` (0600). */
export class Authority {
  readonly certificateFile: string;
  readonly #keyFile: string;
  readonly #directory: string;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.certificateFile = join(directory, `${name}.crt`);
    this.#keyFile = join(directory, `${name}.key`);
  }

  /** Opens the authority, or makes it where there is none yet. */
  static async open(directory: string, name: string): Promise<Authority> {
    const authority = new Authority(directory, name);
    if (existsSync(authority.certificateFile) && existsSync(authority.#keyFile)) return authority;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const draft = join(directory, `.${name}`);
    await openssl([
      ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
      ...['-keyout', `${draft}.key`, '-out', `${draft}.crt`, '-days', String(CA_DAYS)],
      ...['-subj', `/O=Scipion local cluster/CN=Scipion ${name}`],
      ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ]);
    await rename(`${draft}.key`, authority.#keyFile);
    await rename(`${draft}.crt`, authority.certificateFile);
    return authority;
  }

  get certificate(): string {
    return readFileSync(this.certificateFile, 'utf8');
  }

  /** A fresh key with a certificate: for servers when `hosts` are named, for clients otherwise. */
  async issue(request: CertificateRequest): Promise<KeyPair> {
    const folder = await mkdtemp(join(this.#directory, '.issue-'));
    try {
      const files = { key: join(folder, 'key'), certificate: join(folder, 'certificate') };
      await openssl([
        ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        ...['-CA', this.certificateFile, '-CAkey', this.#keyFile, '-days', String(LEAF_DAYS)],
        ...['-keyout', files.key, '-out', files.certificate, '-subj', subject(request)],
        ...extensions(request).flatMap((extension) => ['-addext', extension]),
      ]);
      return {
        certificate: await readFile(files.certificate, 'utf8'),
        key: await readFile(files.key, 'utf8'),
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** Makes an RSA key for signing service account tokens at `file` (0600) unless there is one. */
export async function ensureSigningKey(file: string): Promise<void> {
  if (existsSync(file)) return;
  await openssl(['genrsa', '-out', `${file}.draft`, '2048']);
  await chmod(`${file}.draft`, 0o600);
  await rename(`${file}.draft`, file);
}

/** Whether `certificate` (PEM) covers every one of `hosts` and stays valid for 30 days from `now`. */
export function covers(certificate: string, hosts: readonly string[], now = new Date()): boolean {
  const parsed = new X509Certificate(certificate);
  const left = parsed.validToDate.getTime() - now.getTime();
  const names = new Set(hostsOf(certificate));
  return left > 30 * 86_400_000 && hosts.every((host) => names.has(host));
}

/** The DNS names and IP addresses in a certificate (PEM), in its order. */
export function hostsOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName?.split(', ') ?? [];
  return names.map((name) => name.replace(/^(DNS|IP Address):/, ''));
}

/** Extensions of a leaf certificate in openssl's words. */
export function extensions({ hosts = [] }: CertificateRequest): string[] {
  const names = hosts.map((host) => (isAddress(host) ? `IP:${host}` : `DNS:${host}`));
  return [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    `extendedKeyUsage=${names.length > 0 ? 'serverAuth' : 'clientAuth'}`,
    ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
  ];
}

function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}

function subject({ commonName, organization }: CertificateRequest): string {
  return `${organization ? `/O=${organization}` : ''}/CN=${commonName}`;
}

async function openssl(args: readonly string[]): Promise<void> {
  const result = await execa('openssl', args, { reject: false, all: true });
  if (result.exitCode !== 0) {
    throw new Error(
      `openssl ${args[0]} failed (expected OpenSSL 3.0 or newer, "openssl version"):\n${result.all}`,
    );
  }
}
