import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { changesOfPreview } from '../../automation/meaning/changes.ts';
import { meaningOf } from '../../automation/meaning/meaning.ts';
import { changesBetween } from '../../automation/preview/recorded-changes.ts';
import {
  type ConfigValue,
  ProgramWorkers,
  type Registration,
  runProgram,
} from '../../automation/recording/index.ts';
import { CHANGES } from '../../stacks/changes.ts';
import { notesOf } from '../../stacks/fields.ts';
import { SETTING_FIELDS, type Settings } from '../../stacks/schema.ts';
import { knownVersions } from '../../stacks/versions.ts';

const workers = new ProgramWorkers();
afterAll(() => workers[Symbol.asyncDispose]());

type Config = Readonly<Record<string, ConfigValue>>;
const USER: Config = {
  onedataHost: 'provider.example.org',
  sourceSpaceId: 'source',
  projectSpaceId: 'project',
};
const TOKENS = { sourceToken: 'placeholder-sourceToken', projectToken: 'placeholder-projectToken' };
const recorded = new Map<string, Promise<readonly Registration[]>>();

function record(config: Config, secrets: Config = TOKENS): Promise<readonly Registration[]> {
  const key = JSON.stringify([config, secrets]);
  const known = recorded.get(key) ?? run(config, secrets);
  recorded.set(key, known);
  return known;
}

async function run(config: Config, secretConfig: Config): Promise<readonly Registration[]> {
  const prefixed = Object.entries({ ...USER, ...config }).map(([key, value]) => [`scipion:${key}`, value]);
  const result = await runProgram({
    directory: fileURLToPath(new URL('../../', import.meta.url)),
    stack: 'jane',
    stackFile: false,
    dryRun: true,
    config: Object.fromEntries(prefixed),
    secretConfig: Object.fromEntries(
      Object.entries(secretConfig).map(([key, value]) => [`scipion:${key}`, value]),
    ),
    workers,
  });
  if (result.errors.length > 0) throw new Error(result.errors.join('\n'));
  return result.registrations;
}

const meaning = async (before: Config, after: Config) =>
  meaningOf(changesBetween(await record(before), await record(after))).map(({ text }) => text);

describe('an up in words', () => {
  test.each<[string, Config, Config, string[]]>([
    ['nothing', {}, {}, []],
    ['a removal that would not save', {}, { discardUnsavedChanges: true }, []],
    [
      'a larger project volume',
      { projectVolumeSize: '10Gi' },
      { projectVolumeSize: '20Gi' },
      [
        'grows the project volume from 10Gi to 20Gi, where the storage class can',
        'changes in place, without a restart: the quota of the namespace',
      ],
    ],
    [
      'a smaller one',
      { projectVolumeSize: '20Gi' },
      { projectVolumeSize: '10Gi' },
      [
        'refused while the instance exists: scipion:projectVolumeSize from "20Gi" to "10Gi"',
        'changes in place, without a restart: the quota of the namespace',
      ],
    ],
    ['a pause', {}, { paused: true }, ['stops the desktop after a last save; both volumes stay']],
    ['its end', { paused: true }, {}, ['starts the desktop again, from its volumes']],
    [
      'memory and the time of the last save',
      {},
      { memory: '16Gi', finalSaveGrace: '2 hours' },
      [
        'takes effect at the next start of the pod, the session continues until then: time of the final save, CPUs, memory or scratch',
        'changes in place, without a restart: the quota of the namespace',
      ],
    ],
    [
      'another space',
      {},
      { projectSpaceId: 'other' },
      [
        'refused while the instance exists: scipion:projectSpaceId from "project" to "other"',
        'takes effect at the next start of the pod, the session continues until then: project',
      ],
    ],
  ])('%s', async (_, before, after, expected) => {
    expect(await meaning(before, after)).toEqual(expected);
  });

  test('of an instance that is made, and of one that goes', async () => {
    const all = await record({});
    expect(meaningOf(changesBetween([], all)).map(({ change }) => change)).toEqual(['creates']);
    expect(meaningOf(changesBetween(all, [])).map(({ change }) => change)).toEqual(['removes']);
  });

  test('of a preview of Pulumi itself, as of the recordings', async () => {
    const [before, after] = [await record({}), await record({ memory: '16Gi', paused: true })];
    const inputs = ({ inputs }: Registration) => JSON.parse(JSON.stringify(inputs));
    const steps = after
      .filter(({ custom }) => custom)
      .map((registration) => {
        const old = before.find(({ urn }) => urn === registration.urn) as Registration;
        const isSame = JSON.stringify(inputs(old)) === JSON.stringify(inputs(registration));
        return {
          op: isSame ? 'same' : 'update',
          urn: registration.urn,
          oldState: { inputs: inputs(old) },
          newState: { inputs: inputs(registration) },
        };
      });
    const ofEngine = meaningOf(changesOfPreview({ steps }));
    expect(ofEngine).toEqual(meaningOf(changesBetween(before, after)));
    expect(ofEngine.map(({ change }) => change)).toEqual(['pauses', 'at the next start', 'in place']);
  });
});

/** Where the example is what every stack has, or needs another key beside it. */
const OTHER: Partial<Record<keyof Settings, ConfigValue>> = {
  version: knownVersions().find((version) => version !== notesOf(SETTING_FIELDS.version).example) ?? '',
  ingressClass: 'other',
  tlsIssuer: 'other',
  tlsSecretName: 'other',
  imageRepository: 'registry.example.org/other',
  imagePullPolicy: 'Always',
  dnsNamespaces: '["openshift-dns"]',
  quotaCpuGuaranteed: 14,
  quotaCpuLimit: 20,
  onedataPorts: '[443,9443]',
  networkIsolation: false,
  onedataHost: 'other.example.org',
  desktopImage: `registry.example.org/d@sha256:${'a'.repeat(64)}`,
  signInIssuer: 'https://other.example.org:8443',
  signInClientId: 'other',
  sidecarImage: `registry.example.org/s@sha256:${'a'.repeat(64)}`,
};
const SIGN_IN: Config = {
  signInIssuer: 'https://login.example.org',
  signInClientId: 'scipion',
  signInUsers: '["a"]',
};
const JOBS: Config = { jobs: true, apiServerNetworks: '["192.0.2.9/32"]', jobMemory: '20Gi' };
const BESIDE: Partial<Record<keyof Settings, Config>> = {
  gateway: { tlsIssuer: '' },
  onedataSecret: { createNamespace: false },
  sourceSecret: { createNamespace: false },
  projectSecret: { createNamespace: false },
  signInIssuer: SIGN_IN,
  signInClientId: SIGN_IN,
  signInScopes: SIGN_IN,
  signInUserClaim: SIGN_IN,
  signInUsers: SIGN_IN,
  signInGroupClaim: SIGN_IN,
  signInGroups: SIGN_IN,
  signInNetworks: SIGN_IN,
  passwordLogin: SIGN_IN,
  jobs: { apiServerNetworks: '["192.0.2.9/32"]' },
  jobClasses: JOBS,
  jobMemory: JOBS,
  apiServerNetworks: JOBS,
};
const WITHOUT: Partial<Record<keyof Settings, Config>> = {
  onedataSecret: {},
  sourceSecret: { projectToken: TOKENS.projectToken },
  projectSecret: { sourceToken: TOKENS.sourceToken },
};
/** Certificates are made nowhere here; they are settings like their neighbours. */
const keys = (Object.keys(SETTING_FIELDS) as (keyof Settings)[]).filter(
  (key) => !key.endsWith('CertificateAuthorities'),
);

test.each(keys)('what a change of %s does is what the reference says', async (key) => {
  const beside = BESIDE[key] ?? {};
  const value = OTHER[key] ?? notesOf(SETTING_FIELDS[key]).example;
  const before = await record(beside);
  const after = await record({ ...beside, [key]: value }, WITHOUT[key]);
  const [gravest] = meaningOf(changesBetween(before, after));
  expect(gravest?.change ?? 'later').toBe(CHANGES[key]);
});
