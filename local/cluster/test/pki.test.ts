import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unitedHosts } from '../ingress-certificate.ts';
import { Authority, covers, extensions, hostsOf } from '../pki.ts';

const DAY = 86_400_000;
let folder: string;
let authority: Authority;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scipion-pki-'));
  authority = await Authority.open(folder, 'ca');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('Authority', () => {
  test('is kept: opening it again gives the same certificate, and its key is for its owner only', async () => {
    expect((await Authority.open(folder, 'ca')).certificate).toBe(authority.certificate);
    expect(statSync(join(folder, 'ca.key')).mode & 0o777).toBe(0o600);
  });

  test('signs a server certificate for names and addresses', async () => {
    const { certificate, key } = await authority.issue({
      commonName: 'scipion.demo.localhost',
      hosts: ['scipion.demo.localhost', '127.0.0.1'],
    });
    const parsed = new X509Certificate(certificate);
    expect(parsed.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
    expect(parsed.checkHost('scipion.demo.localhost')).toBe('scipion.demo.localhost');
    expect(parsed.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(parsed.ca).toBe(false);
    expect(key).toContain('BEGIN PRIVATE KEY');
  });

  test('names the group of a client and gives it no server rights', async () => {
    const request = { commonName: 'admin', organization: 'system:masters' };
    const parsed = new X509Certificate((await authority.issue(request)).certificate);
    expect(parsed.subject).toBe('O=system:masters\nCN=admin');
    expect(extensions(request)).toContain('extendedKeyUsage=clientAuth');
    expect(parsed.subjectAltName).toBeUndefined();
  });
});

describe('covers', () => {
  test('refuses a certificate that lacks a host or is about to expire', async () => {
    const hosts = ['a.localhost', 'b.localhost'];
    const { certificate } = await authority.issue({ commonName: 'a.localhost', hosts });
    const end = new X509Certificate(certificate).validToDate.getTime();
    expect(covers(certificate, ['b.localhost'])).toBe(true);
    expect(covers(certificate, ['c.localhost'])).toBe(false);
    expect(covers(certificate, hosts, new Date(end - 31 * DAY))).toBe(true);
    expect(covers(certificate, hosts, new Date(end - 29 * DAY))).toBe(false);
    expect(hostsOf(certificate)).toEqual(hosts);
  });
});

describe('unitedHosts', () => {
  test('keeps the hosts of other instances and repeats none', async () => {
    const { certificate } = await authority.issue({ commonName: 'a', hosts: ['a.localhost', 'b.localhost'] });
    expect(unitedHosts(certificate, ['b.localhost', 'c.localhost'])).toEqual([
      'a.localhost',
      'b.localhost',
      'c.localhost',
    ]);
    expect(unitedHosts(null, ['c.localhost'])).toEqual(['c.localhost']);
  });
});
