import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { EmulatorConfiguration } from './configuration.ts';

export interface TlsMaterial {
  readonly authorityPem: string;
  readonly authorityFile: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

const DAY = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const subtle = webcrypto.subtle;

/**
 * Certificate for all host names of the emulator. Kept in the data directory and used again as long as the names are
 * the same, so that an instance which trusts the authority goes on trusting it after a restart.
 */
export async function tlsMaterial(configuration: EmulatorConfiguration): Promise<TlsMaterial> {
  const given = configuration.certificate;
  if (given) {
    return {
      authorityFile: given.authorityFile,
      authorityPem: readFileSync(given.authorityFile, 'utf8'),
      certificatePem: readFileSync(given.certificateFile, 'utf8'),
      keyPem: readFileSync(given.keyFile, 'utf8'),
    };
  }
  const names = [
    configuration.zoneHost,
    configuration.providerHost,
    ...configuration.providers.map(({ host }) => host),
    'localhost',
    '127.0.0.1',
  ];
  const key = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16);
  const directory = join(configuration.dataDirectory, 'tls');
  const files = {
    authority: join(directory, 'ca.crt'),
    certificate: join(directory, `${key}.crt`),
    key: join(directory, `${key}.key`),
  };
  if (!existsSync(files.certificate) || !existsSync(files.key)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const made = await issue(names);
    writeFileSync(files.key, made.keyPem, { mode: 0o600 });
    writeFileSync(files.authority, made.authorityPem);
    writeFileSync(files.certificate, made.certificatePem);
  }
  return {
    authorityFile: files.authority,
    authorityPem: readFileSync(files.authority, 'utf8'),
    certificatePem: readFileSync(files.certificate, 'utf8'),
    keyPem: readFileSync(files.key, 'utf8'),
  };
}

/** A new authority and one certificate of it. The authority's key is dropped, so that nothing else can be signed. */
async function issue(names: readonly string[]): Promise<Omit<TlsMaterial, 'authorityFile'>> {
  x509.cryptoProvider.set(webcrypto as unknown as typeof crypto);
  const authorityKeys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - DAY);
  const notAfter = new Date(Date.now() + 3650 * DAY);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Onedata emulator authority',
    notBefore,
    notAfter,
    keys: authorityKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Onedata emulator',
    issuer: authority.subject,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }) as const),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const pkcs8 = Buffer.from(await subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    authorityPem: `${authority.toString('pem')}\n`,
    certificatePem: `${certificate.toString('pem')}\n${authority.toString('pem')}\n`,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
}

/** Positive, at most 16 bytes. */
const serialNumber = () => `4${randomBytes(15).toString('hex').slice(1)}`;
