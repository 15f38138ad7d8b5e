import * as z from 'zod';
import { consoleConfigSchema } from '../console/src/config.ts';
import { cpuMillis, field, json, pattern, size, text, wholeNumber } from '../stacks/fields.ts';
import { DNS_LABEL, IMAGE_REFERENCE, isHostName, OBJECT_NAME } from '../stacks/grammar.ts';
import { isOpenable } from '../stacks/networks.ts';
import { SETTING_FIELDS } from '../stacks/schema.ts';
import type { SiteSecretKey } from './names.ts';

/** Every key of a site's stack. Pulumi hands each value over as text, objects and lists as JSON. */

const GIBIBYTE = 2 ** 30;
const site = { group: 'site' } as const;

/** Where states may be; a password in an address would stand in clear in the pod. */
const BACKEND =
  /^(s3|gs|azblob|postgres|postgresql):\/\/(?![^/?#\s]*:[^/?#\s]*@)(?!\S*[?&]\w*password=)[^\s'"\\]+$/;
const SECRETS_PROVIDER = /^(awskms|gcpkms|azurekeyvault|hashivault):\/\/[^\s'"\\]+$/;

const networks = () => z.array(z.string().refine(isOpenable)).max(50);

/** What the console is told besides: the rest of its configuration is the program's. */
const consoleSettings = consoleConfigSchema.omit({ publicOrigin: true });

/** A value of a key of an instance, as Pulumi.yaml has it. */
const plain = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(z.unknown()),
  z.record(z.string(), z.unknown()),
]);
const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

const instanceDefaults = z.record(z.string(), plain).superRefine((values, context) => {
  for (const key of ['domain', 'imageRepository'])
    if (!Object.hasOwn(values, key))
      context.addIssue({
        code: 'custom',
        path: [key],
        message: 'is missing: the one in Pulumi.yaml is an example',
      });
  for (const [key, value] of Object.entries(values)) {
    const type = Object.hasOwn(SETTING_FIELDS, key)
      ? (SETTING_FIELDS[key as keyof typeof SETTING_FIELDS] as z.ZodType)
      : undefined;
    if (type === undefined)
      context.addIssue({ code: 'custom', path: [key], message: 'is no key of docs/config-reference.md' });
    // An empty value takes back what Pulumi.yaml says.
    else if (value !== '' && !type.safeParse(asText(value)).success)
      context.addIssue({
        code: 'custom',
        path: [key],
        message: 'has a value that docs/config-reference.md does not allow',
      });
  }
});

/** What is stored encrypted, and reaches the console as a file of a Secret. */
export const SITE_SECRETS: Readonly<Record<SiteSecretKey, string>> = {
  passphrase:
    'Encrypts what is secret in states and settings. Keep a copy elsewhere: without it no instance can be changed. Or `secretsProvider`.',
  signInClientSecret:
    'Secret of the client at the identity provider. Without it the console is a public client.',
  webhookToken: 'Sent to the `webhook` of the console’s configuration.',
  awsCredentials:
    'Credentials file of AWS, also for other stores that speak S3. Without it the identity of the pod counts.',
  googleCredentials: 'Credentials file of Google Cloud, JSON.',
  postgresPasswords: 'Password file of PostgreSQL (`HOST:PORT:DATABASE:USER:PASSWORD`).',
};

export const SITE_FIELDS = {
  // With the same meaning as for an instance.
  dnsNamespaces: SETTING_FIELDS.dnsNamespaces,
  ingressNamespaces: SETTING_FIELDS.ingressNamespaces,
  ingressClass: SETTING_FIELDS.ingressClass,
  ingressAnnotations: SETTING_FIELDS.ingressAnnotations,
  tlsIssuer: SETTING_FIELDS.tlsIssuer,
  imagePullSecret: SETTING_FIELDS.imagePullSecret,
  host: field(text(isHostName, '^[a-z0-9.-]+$'), {
    description: 'Name of the console in a browser.',
    allowed: 'a DNS name',
    example: 'console.example.org',
    ...site,
  }),
  image: field(
    pattern(IMAGE_REFERENCE, 500).refine((image) => image.includes('@sha256:')),
    {
      description: 'Image of the console, by its digest: it has rights in the whole cluster.',
      allowed: 'an image with @sha256:',
      example: `registry.example.org/scipion/console@sha256:${'a'.repeat(64)}`,
      ...site,
    },
  ),
  console: field(json(consoleSettings), {
    description:
      'Configuration of the console as docs/console.md has it, without `publicOrigin` and the files of secrets.',
    allowed: 'an object with `signIn` and other keys of docs/console.md',
    example: '{"signIn":{"kind":"openid","issuer":"https://id.example.org","clientId":"scipion-console"}}',
    ...site,
  }),
  instances: field(json(instanceDefaults), {
    description:
      'What every instance of this site has, as `config` of Pulumi.yaml, without the prefix `scipion:`.',
    allowed: 'an object of keys of docs/config-reference.md, with domain and imageRepository',
    example: '{"domain":"example.org","imageRepository":"registry.example.org/scipion"}',
    ...site,
  }),
  apiServerNetworks: field(json(networks().min(1)), {
    description: 'Networks of the API server: a policy sees its addresses, not the Service `kubernetes`.',
    allowed: 'a list of networks, at least one',
    example: '["192.0.2.1/32"]',
    ...site,
  }),
  egressNetworks: field(json(networks()).default([]), {
    description: 'Private networks that the console reaches besides: sign-in, Onedata, database, webhook.',
    allowed: 'a list of networks',
    example: '["10.20.0.0/16"]',
    ...site,
  }),
  egressPorts: field(json(z.array(z.int().min(1).max(65_535)).min(1).max(20)).default([443]), {
    description: 'TCP ports that the console reaches outside, also on public addresses.',
    allowed: 'a list of ports',
    example: '[443,5432]',
    ...site,
  }),
  tlsSecretName: field(pattern(OBJECT_NAME).default('scipion-console-tls'), {
    description: 'Secret with the certificate.',
    allowed: 'a name of a Secret',
    example: 'scipion-console-tls',
    ...site,
  }),
  namespace: field(pattern(DNS_LABEL, 63).default('scipion-console'), {
    description: 'Namespace of the console, which is made.',
    allowed: 'a DNS label',
    example: 'scipion-console',
    ...site,
  }),
  backendUrl: field(pattern(BACKEND, 1000).optional(), {
    description: 'Where the states of the instances are. Absent: files on the volume of the console.',
    allowed: 'an address with s3://, gs://, azblob:// or postgres://, without a password',
    example: 's3://scipion-states?region=eu-central-1',
    ...site,
  }),
  secretsProvider: field(pattern(SECRETS_PROVIDER, 1000).optional(), {
    description:
      'Key service that encrypts what is secret in the states, in place of the secret `passphrase`.',
    allowed: 'an address with awskms://, gcpkms://, azurekeyvault:// or hashivault://',
    example: 'awskms://alias/scipion?region=eu-central-1',
    ...site,
  }),
  stateSize: field(size(GIBIBYTE, 1024 * GIBIBYTE).default('10Gi'), {
    description:
      'Volume of the console: audit log, records of operations, settings of the stacks, and states that are files.',
    allowed: '1Gi to 1Ti',
    example: '10Gi',
    ...site,
  }),
  storageClass: field(pattern(OBJECT_NAME).optional(), {
    description: 'Storage class of that volume. Fixed once it exists.',
    allowed: 'the name of a StorageClass',
    example: 'csi-rbd',
    defaultNote: 'the cluster’s default',
    ...site,
  }),
  cpuLimit: field(cpuMillis(500, 64_000).default(4000), {
    description: 'CPUs of the console at most; each operation on an instance takes one for its start.',
    allowed: '0.5 to 64',
    defaultNote: '`4`',
    example: '4',
    ...site,
  }),
  memory: field(size(GIBIBYTE, 64 * GIBIBYTE).default('4Gi'), {
    description: 'Memory of the console; each operation on an instance takes about half a gibibyte.',
    allowed: '1Gi to 64Gi',
    example: '4Gi',
    ...site,
  }),
  stopSeconds: field(wholeNumber(5, 600).default(30), {
    description: 'Time to end in.',
    allowed: '5 to 600',
    example: '30',
    ...site,
  }),
} as const;

export const siteSchema = z.strictObject(SITE_FIELDS);
export type SiteSettings = z.output<typeof siteSchema>;
