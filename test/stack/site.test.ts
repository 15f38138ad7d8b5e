import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type * as z from 'zod';
import { judgeConfig } from '../../console/src/config.ts';
import { SITE_REFERENCE_FILE, siteReference } from '../../site/docs.ts';
import { SITE_FIELDS } from '../../site/schema.ts';
import { notesOf } from '../../stacks/fields.ts';
import { inputAt, kubernetesObjects, placesOf, resourceOf } from '../helpers/program.ts';
import { runSite, SITE_CONFIG, SITE_SECRETS } from '../helpers/site.ts';

/** The program of a site as Kubernetes objects; `npm run golden` writes them anew, read their difference before you commit. */
const GOLDEN = fileURLToPath(new URL('golden/site.yaml', import.meta.url));

test('a site renders to the objects of golden/site.yaml, and no secret is in them in clear', async () => {
  const run = await runSite();
  expect(run.errors).toEqual([]);
  const objects = kubernetesObjects(run.registrations);
  const text = objects
    .map(({ inputs }) => JSON.parse(JSON.stringify(inputs)) as { kind: string; metadata: { name: string } })
    .sort((a, b) => `${a.kind}/${a.metadata.name}`.localeCompare(`${b.kind}/${b.metadata.name}`))
    .map((object) => stringify(object, { sortMapEntries: true, lineWidth: 0 }))
    .join('---\n');
  expect(text).not.toContain('canary');
  await expect(text).toMatchFileSnapshot(GOLDEN);
  const places = objects.flatMap(({ inputs }) => placesOf('canary', inputs));
  expect(places.sort()).toEqual([
    'stringData.client-secret (secret)',
    'stringData.passphrase (secret)',
    'stringData.webhook-token (secret)',
  ]);
});

test('the console starts from what is written for it, and its project is that of this repository', async () => {
  const { registrations } = await runSite();
  const { inputs } = resourceOf(registrations, ':ConfigMap');
  const settings = judgeConfig(JSON.parse(String(inputAt(inputs, 'data', 'console.json'))), 'of the test');
  expect(settings.publicOrigin).toBe('https://console.example.org');
  expect(settings.signIn).toMatchObject({ clientSecretFile: '/etc/scipion-console/secrets/client-secret' });
  const project = parse(String(inputAt(inputs, 'data', 'Pulumi.yaml')));
  const own = parse(readFileSync(new URL('../../Pulumi.yaml', import.meta.url), 'utf8'));
  expect(project).toEqual({
    ...Object.fromEntries(Object.entries(own).filter(([key]) => key !== 'stackConfigDir')),
    main: '/opt/scipion',
    config: {
      ...own.config,
      'scipion:domain': 'desktops.example.org',
      'scipion:imageRepository': 'registry.example.org/scipion',
    },
  });
});

test('another setting starts the console anew, and a key service takes the place of the passphrase', async () => {
  const { passphrase: _, ...others } = SITE_SECRETS;
  const config = {
    ...SITE_CONFIG,
    backendUrl: 's3://states?region=eu-central-1',
    secretsProvider: 'awskms://alias/scipion?region=eu-central-1',
    instances: JSON.stringify({
      domain: 'other.example.org',
      imageRepository: 'registry.example.org/scipion',
    }),
  };
  const digestOf = async (run: Awaited<ReturnType<typeof runSite>>) =>
    inputAt(
      resourceOf(run.registrations, ':Deployment').inputs,
      'spec',
      'template',
      'metadata',
      'annotations',
    );
  const changed = await runSite({ config, secretConfig: { ...others, awsCredentials: 'canary-aws' } });
  expect(changed.errors).toEqual([]);
  expect(await digestOf(changed)).not.toEqual(await digestOf(await runSite()));
  const spec = JSON.stringify(resourceOf(changed.registrations, ':Deployment').inputs);
  expect(spec).not.toContain('PASSPHRASE');
  for (const part of ['AWS_SHARED_CREDENTIALS_FILE', config.backendUrl, config.secretsProvider])
    expect(spec).toContain(part);
});

test('docs/site-reference.md is what `npm run docs` writes, and its examples are accepted', () => {
  expect(readFileSync(SITE_REFERENCE_FILE, 'utf8')).toBe(siteReference());
  for (const [key, type] of Object.entries<z.ZodType>(SITE_FIELDS))
    expect([key, type.safeParse(notesOf(type).example).success]).toEqual([key, true]);
});

describe('a wrong configuration', () => {
  const without = (key: keyof typeof SITE_CONFIG) =>
    Object.fromEntries(Object.entries(SITE_CONFIG).filter(([name]) => name !== key));
  test.each<[string, object, object, RegExp]>([
    [
      'an image by its tag',
      { ...SITE_CONFIG, image: 'registry.example.org/console:1' },
      SITE_SECRETS,
      /image: found .*@sha256/,
    ],
    ['no host', without('host'), SITE_SECRETS, /host: found nothing; allowed: a DNS name/],
    ['no passphrase', SITE_CONFIG, {}, /neither a passphrase nor a secretsProvider/],
    [
      'both',
      { ...SITE_CONFIG, secretsProvider: 'awskms://alias/a' },
      SITE_SECRETS,
      /found a secretsProvider besides/,
    ],
    [
      'a secret in clear',
      { ...SITE_CONFIG, passphrase: 'abc' },
      {},
      /passphrase: found a value stored in clear/,
    ],
    ['an unknown key', { ...SITE_CONFIG, hots: 'a' }, SITE_SECRETS, /hots: found a key that is not known/],
    [
      'a password behind an address',
      { ...SITE_CONFIG, backendUrl: 'postgres://a@db/states?password=secret@' },
      SITE_SECRETS,
      /backendUrl: found .*without a password/,
    ],
    [
      'a password in an address',
      { ...SITE_CONFIG, backendUrl: 'postgres://a:secret@db/states' },
      SITE_SECRETS,
      /backendUrl: found .*without a password/,
    ],
    [
      'the example domain left',
      { ...SITE_CONFIG, instances: '{}' },
      SITE_SECRETS,
      /instances: .*domain: is missing/,
    ],
    [
      'a wrong default of the instances',
      {
        ...SITE_CONFIG,
        instances: JSON.stringify({ domain: 'a.org', imageRepository: 'r.org/s', memory: 'much' }),
      },
      SITE_SECRETS,
      /instances: .*memory: has a value/,
    ],
    [
      'a sign-in over plain HTTP',
      {
        ...SITE_CONFIG,
        console: JSON.stringify({
          signIn: { kind: 'openid', issuer: 'http://id.example.org', clientId: 'a' },
        }),
      },
      SITE_SECRETS,
      /found http:\/\/id.example.org, expected an address with https/,
    ],
    [
      'closed networks',
      { ...SITE_CONFIG, apiServerNetworks: '["169.254.169.254/32"]' },
      SITE_SECRETS,
      /apiServerNetworks: found/,
    ],
  ])('%s is refused in one sentence, before anything is made', async (_what, config, secretConfig, words) => {
    const run = await runSite({ config: config as never, secretConfig: secretConfig as never });
    expect(run.errors.join('\n')).toMatch(words);
    expect(run.errors.join('\n')).not.toMatch(/secret@|ZodError/);
    expect(kubernetesObjects(run.registrations)).toEqual([]);
  });
});
