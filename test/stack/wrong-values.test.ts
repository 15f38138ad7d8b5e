import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { notesOf, shapeOf } from '../../stacks/fields.ts';
import { judge } from '../../stacks/judge.ts';
import { SETTING_FIELDS, type Settings } from '../../stacks/schema.ts';
import { CERTIFICATE } from '../helpers/certificate.ts';
import { asText, fits } from '../helpers/json-shape.ts';
import { rawStack } from '../helpers/raw-stack.ts';

/** Values that are wrong are refused, whatever they are: in one line of their key, that shows no secret. */

const problemsOf = (changes: Record<string, string | undefined>) => judge(rawStack(changes)).problems;
const TOKEN = `MDAxY2xvY2F00aW9uIG9uZXpvbmU${'aB3xY9zQ'.repeat(12)}`;

const JUNK = [
  ...[
    'null',
    '~',
    'None',
    '[]',
    '{}',
    '[1,',
    '""',
    'true ',
    'TRUE',
    '-1',
    '0',
    '1e9',
    '0x10',
    '٣',
    'NaN',
    '1,5',
  ],
  ...[
    'http://a',
    'a b',
    'a\nb',
    '../../etc',
    '{a',
    'x'.repeat(70),
    'ünï',
    '日本',
    '\u202egnp',
    '\u0000',
    '$(id)',
  ],
  ...[
    '; rm -rf /',
    "'",
    '</details>',
    '-----BEGIN CERTIFICATE-----',
    TOKEN,
    'x'.repeat(1_000_000),
    '8000Ti',
    '9:99999',
  ],
];

const anything = fc.oneof(
  fc.constantFrom<unknown>(...JUNK),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  fc.integer({ min: -1000, max: 1_000_000_000 }),
  fc.double({ noNaN: true }),
  fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
);

const keys = Object.keys(SETTING_FIELDS) as (keyof Settings)[];

describe.each(keys)('%s', (key) => {
  const shape = shapeOf(SETTING_FIELDS[key]);
  const wrong = anything.filter((value) => !fits(shape, value) && asText(value).trim() !== '');

  test('refuses whatever does not fit its schema, in one line of its own', () => {
    fc.assert(
      fc.property(wrong, (value) => {
        const text = asText(value);
        // The same text may be right: a number in quotes, JSON in a string.
        fc.pre(!fits(shape, text));
        const mine = problemsOf({ [key]: text }).filter((line) => line.startsWith(`scipion:${key}: found `));
        expect(mine).toHaveLength(1);
        expect(mine[0]).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        expect(mine[0]?.length).toBeLessThan(900);
        expect(mine[0]).toMatch(/ --stack jane|; set it to what you mean, or change what it contradicts/);
        expect(mine[0]).not.toContain(TOKEN.slice(0, 20));
      }),
      { numRuns: 60 },
    );
  });

  test('has an example that fits its schema', () => {
    const { example } = notesOf(SETTING_FIELDS[key]);
    if (example.startsWith('"$(')) return;
    expect(fits(shape, example)).toBe(true);
  });
});

test('all keys wrong are a line each, at once, and what they make useless', () => {
  const all = Object.fromEntries(keys.map((key) => [key, '\u0007']));
  const starts = problemsOf(all).map((line) => line.slice('scipion:'.length, line.indexOf(':', 8)));
  const more = ['sourceToken', 'projectToken'];
  expect(starts).toEqual([...keys, ...more]);
});

describe('once accepted, now refused', () => {
  const certificate = CERTIFICATE.replace('MII', 'MI!');
  test.each<[key: string, value: string, more?: Record<string, string | undefined>]>([
    ['sourceSpaceId', TOKEN],
    ['projectSpaceId', TOKEN],
    ['onedataHost', TOKEN],
    ['onedataHost', 'provider.example.org:99999'],
    ['onedataHost', '300.1.1.1'],
    ['onedataHost', `${'a'.repeat(70)}.example.org`],
    ['domain', `${'a'.repeat(70)}.example.org`],
    ['domain', '10.0.0.1'],
    ['domain', `${'a.'.repeat(124)}org`],
    ['imageRepository', 'http://registry.example.org/scipion'],
    ['imageRepository', 'registry.example.org/scipion:1.0'],
    ['imageRepository', 'registry.example.org/Scipion'],
    ['desktopImage', 'registry.example.org/scipion/desktop'],
    ['desktopImage', 'https://registry.example.org/scipion/desktop:1'],
    ['desktopImage', 'registry.example.org/scipion/desktop@sha256:12'],
    ['memory', '8000Ti'],
    ['sourceVolumeSize', '999999999Ti'],
    ['downloadBandwidth', '9000Ti'],
    ['ingressAnnotations', '{"bad key":"x"}'],
    ['ingressAnnotations', '{"a/b/c":"x"}'],
    ['ingressAnnotations', '{"pulumi.com/skipAwait":"false"}'],
    ['onedataCertificateAuthorities', certificate],
    ['onedataCertificateAuthorities', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'],
    [
      'onedataCertificateAuthorities',
      `${CERTIFICATE}\n-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----`,
    ],
    ['sourceInclude', '["{a"]'],
    ['sourceInclude', '["../../etc"]'],
    ['sourceExclude', '["!raw"]'],
    ['sourceExclude', '["**"]'],
    ['sourceExclude', '["*"]'],
    ['sourceExclude', '["/{**,x}/"]'],
    ['sourceExclude', '["raw/**"]', { sourceInclude: '["raw/**"]' }],
    ['sourceExclude', '["raw"]', { sourceInclude: '["raw/*.mrc","raw/{a,b}/x"]' }],
    ...[
      ' raw',
      'raw ',
      '[z-a]',
      '[]',
      '[!a]',
      '(?<=a)b',
      '*.@(mrc|tif)',
      '!(raw)',
      '(a|b)',
      'a//b',
      'a]',
      'a}',
    ].map((pattern): [string, string] => ['sourceInclude', JSON.stringify([pattern])]),
    ...['{1..20}', '{b..a}', 'a\\', '[a', '[a/b]', '{a,b}'.repeat(9), 'a/../b', './a', '/'].map(
      (pattern): [string, string] => ['sourceInclude', JSON.stringify([pattern])],
    ),
    ['tlsIssuer', 'null'],
    ['storageClass', '~'],
    ['desktopPassword', 'x'],
    ['desktopPassword', 'long enough\nbut two lines'],
    ['sourceToken', 'abc'],
    ['projectToken', 'not/a/token/but$(id)/long'],
    ['tlsIssuer', 'letsencrypt', { gateway: 'net/public' }],
    ['ingressAnnotations', '{"a":"b"}', { gateway: 'net/public' }],
    ['waitForIngress', 'true', { gateway: 'net/public' }],
    ['ingressNamespaces', '["ingress"]', { networkIsolation: 'false' }],
    [
      'sourceToken',
      'x'.repeat(30),
      { onedataSecret: 'mine', createNamespace: 'false', projectToken: undefined },
    ],
    ['sourceToken', 'x'.repeat(30), { sourceMount: 'claim/raw', createNamespace: 'false' }],
    ['sourceSecret', 'raw', { sourceMount: 'claim/raw', createNamespace: 'false', sourceToken: undefined }],
    ['projectMount', 'claim/scipion-project', { createNamespace: 'false', projectToken: undefined }],
    ['tlsSecretName', 'scipion-gateway'],
    ['onedataNetworks', '["169.254.169.254/32"]'],
    ['onedataNetworks', '["10.0.0.0"]'],
    ['onedataNetworks', '["168.63.129.16/32"]'],
    ['onedataNetworks', '["192.0.2.0/24","100.100.100.200/32"]'],
    ['onedataNetworks', '["::ffff:169.254.169.254/128"]'],
    ['onedataNetworks', '["::ffff:a9fe:a9fe/128"]'],
    ['onedataNetworks', '["::ffff:10.0.0.0/104"]'],
    ['onedataNetworks', '["fd00::1%eth0/64"]'],
    ['onedataNetworks', '["10.0.0.0/08"]'],
    ['onedataNetworks', '["fd00:ec2::254/128"]'],
    ['httpProxy', 'http://169.254.169.254:80'],
    ['httpProxy', 'http://168.63.129.16:80'],
    ['httpProxy', 'http://0xa9fea9fe:80'],
    [
      'signInNetworks',
      '["169.254.0.0/16"]',
      { signInIssuer: 'https://login.example.org', signInClientId: 'x', signInUsers: '["a"]' },
    ],
    ['extraVolumes', '[{"name":"a","mountPath":"/mnt/vol-project/x","claim":"a"}]'],
    ['extraVolumes', '[{"name":"a","mountPath":"/mnt/a","claim":"scipion-project"}]'],
    ['extraVolumes', '[{"name":"a","mountPath":"/mnt/a"}]'],
    ['desktopEnvironment', '{"HOME":"/root"}'],
    ['desktopEnvironment', '{"__proto__":"x"}'],
    ['ingressAnnotations', '{"__proto__":"x","a":"1"}'],
    ['ingressAnnotations', '{"kubernetes.io/ingress.class":"nginx"}'],
    ['ingressAnnotations', '{"cert-manager.io/cluster-issuer":"other"}', { tlsIssuer: 'le' }],
    ['ingressAnnotations', '{"cert-manager.io/issuer":"other"}', { tlsIssuer: 'le' }],
    ['desktopEnvironment', '{"A":"a\\u0000b"}'],
    ['desktopEnvironment', '{"A":"\\ud800"}'],
    ['ingressAnnotations', '{"a":"\\ud800"}'],
    ['gateway', 'networking/a..b'],
    ['gateway', 'networking/a.-b'],
    ['signInUsers', '["jane "]', { signInIssuer: 'https://login.example.org', signInClientId: 'x' }],
    ['dnsNamespaces', '[]'],
    ['tolerations', '[{}]'],
    ['tolerations', '[{"operator":"Equal","value":"x"}]'],
    ['tolerations', '[{"key":"a","operator":"Exists","value":"x"}]'],
    ['tolerations', '[{"key":"a","operator":"Exists","effect":"NoSchedule","tolerationSeconds":5}]'],
    ['tolerations', '[{"key":"a","operator":"Exists","tolerationSeconds":5}]'],
    ['extraResources', '{"requests.nvidia.com/gpu":"1"}'],
    ['extraVolumes', `[{"name":"${'a'.repeat(58)}","mountPath":"/mnt/a","claim":"c"}]`],
    [
      'extraVolumes',
      '[{"name":"a","mountPath":"/mnt/a","claim":"raw","writable":true}]',
      { sourceMount: 'claim/raw', createNamespace: 'false', sourceToken: undefined },
    ],
    ...[30, 3000, 200_000].map((levels): [string, string] => [
      'affinity',
      `{"nodeAffinity":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`,
    ]),
    ['affinity', `{"nodeAffinity":{"a":${'['.repeat(3000)}${']'.repeat(3000)}}}`],
    ['desktopImage', 'registry.example.org/scipion/desktop:latest'],
    ['onedataHost', '169.254.169.254'],
    ['signInClientId', 'x'],
    ['signInScopes', '["openid","x"]'],
    ['signInUserClaim', 'email'],
    ['signInGroupClaim', 'roles'],
    ['signInNetworks', '["192.0.2.0/24"]'],
    ['signInCertificateAuthorities', CERTIFICATE],
    ['tlsSecretName', 'mine', { gateway: 'net/public' }],
    ['dnsNamespaces', '["a"]', { networkIsolation: 'false' }],
    ['onedataPorts', '[9443]', { networkIsolation: 'false' }],
    [
      'onedataSecret',
      'mine',
      {
        createNamespace: 'false',
        sourceSecret: 'raw',
        projectSecret: 'work',
        sourceToken: undefined,
        projectToken: undefined,
      },
    ],
    ['extraResources', '{"cpu":"1"}'],
    ['httpProxy', 'http://me:secret@proxy.example.org:3128'],
  ])('%s %j', (key, value, more = {}) => {
    const problems = problemsOf({ ...more, [key]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^scipion:${key}: found `));
    expect(problems[0]).toContain('--stack jane');
    expect(problems[0]).not.toContain(TOKEN.slice(0, 12));
  });

  const signIn = { signInClientId: 'x', signInUsers: '["a"]' };
  test.each<[Record<string, string>, key: string, better: string]>([
    [{ onedataHost: '10.0.0.5' }, 'onedataNetworks', '["10.0.0.5/32"]'],
    [
      { onedataHost: '192.0.2.5:8443', onedataNetworks: '["198.51.100.0/24"]' },
      'onedataNetworks',
      '["198.51.100.0/24","192.0.2.5/32"]',
    ],
    [{ ...signIn, signInIssuer: 'https://10.0.0.1:8443/realm' }, 'signInNetworks', '["10.0.0.1/32"]'],
    [
      { ...signIn, signInIssuer: 'https://192.0.2.9', signInNetworks: '["198.51.100.0/24"]' },
      'signInNetworks',
      '["198.51.100.0/24","192.0.2.9/32"]',
    ],
  ])('a host where the policies let nobody go: %j', (changes, key, better) => {
    const [problem, ...more] = problemsOf(changes);
    expect(more).toEqual([]);
    expect(problem).toMatch(new RegExp(`^scipion:${key}: found `));
    expect(problem).toContain(`set it: pulumi config set scipion:${key} '${better}' --stack jane`);
    expect(problemsOf({ ...changes, [key]: better })).toEqual([]);
    const open = Object.fromEntries(Object.entries(changes).filter(([name]) => !name.endsWith('Networks')));
    expect(problemsOf({ ...open, networkIsolation: 'false' })).toEqual([]);
  });

  test('a key that an object loses', () => {
    const raw = rawStack();
    const values = Object.fromEntries([...Object.entries(raw.values), ['__proto__', 'x']]);
    expect(judge({ ...raw, values }).problems).toEqual([
      'scipion:__proto__: found a key that is not known; the nearest is scipion:version; remove it: pulumi config rm scipion:__proto__ --stack jane',
    ]);
  });

  test('a setting stored encrypted, which stands in clear in the cluster', () => {
    expect(
      judge(rawStack({}, { secretKeys: new Set(['sourceToken', 'projectToken', 'onedataHost']) })).problems,
    ).toEqual([
      'scipion:onedataHost: found a value stored encrypted; allowed: a value in clear, since it stands in clear in the cluster; set it: pulumi config set scipion:onedataHost provider.example.org --stack jane',
    ]);
  });

  test('a key of a misspelt prefix', () => {
    const raw = { ...rawStack(), otherKeys: ['scipoin:memory', 'kubernetes:context', 'pulumi:tags'] };
    expect(judge(raw).problems).toEqual([
      'scipoin:memory: found a key that is not known; the nearest is scipion:memory; remove it: pulumi config rm scipoin:memory --stack jane',
    ]);
  });

  test('a key of a million characters', () => {
    const [problem] = problemsOf({ ['m'.repeat(1_000_000)]: '1' });
    expect(problem?.length).toBeLessThan(300);
  });
});
