import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SECRET_PLACEHOLDER } from '../../automation/recording/config.ts';
import { judge } from '../../stacks/judge.ts';
import { nearestKey, problemsMessage } from '../../stacks/problems.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { rawStack, TOKEN_KEYS } from '../helpers/raw-stack.ts';

const problemsOf = (changes: Record<string, string | undefined>) => judge(rawStack(changes)).problems;

describe('a right stack', () => {
  test('needs six keys beside those of the site, and the rest has defaults', () => {
    expect(judge(rawStack()).settings).toMatchObject({
      namespace: 'jane',
      version: '3.8.3',
      cpuGuaranteed: 2000,
      cpuLimit: 4000,
      quotaCpuGuaranteed: 12_000,
      quotaCpuLimit: 16_000,
      memory: '8Gi',
      sourceVolumeSize: '100Gi',
      projectVolumeSize: '50Gi',
      autosaveInterval: 300,
      finalSaveGrace: 3600,
      publicPort: 443,
      onedataPorts: [443],
      createNamespace: true,
      paused: false,
      discardUnsavedChanges: false,
    });
  });

  test('takes back a site default with an empty value', () => {
    expect(judge(rawStack({ tlsIssuer: '' })).settings?.tlsIssuer).toBeUndefined();
  });

  test.each([
    ['namespace', 'jane-doe'],
    ['version', '3.7.1'],
    ['onedataHost', 'provider.example.org:8443'],
    ['cpuGuaranteed', '4'],
    ['sourceInclude', '["raw(1)/**","raw(1","a|b","C++","[^a]*","{raw}","run{1..3}","\\\\!a","*/*"]'],
    ['sourceExclude', '["*/*","raw"]'],
    ['cpuLimit', '14'],
    ['ingressAnnotations', '{"a/b":"c"}'],
    ['ingressNamespaces', '["ingress-nginx"]'],
    ['imagePullPolicy', 'Never'],
    ['sidecarImage', `registry.example.org:5000/scipion/sidecar@sha256:${'0123456789abcdef'.repeat(4)}`],
    ['desktopPassword', 'läng gnüg für alli'],
  ])('may say %s = %s', (key, value) => expect(problemsOf({ [key]: value })).toEqual([]));

  test('may name an existing Secret in an existing namespace in place of tokens', () => {
    const changes = { sourceToken: undefined, projectToken: undefined, onedataSecret: 'tokens' };
    expect(problemsOf({ ...changes, createNamespace: 'false' })).toEqual([]);
  });

  test.each([
    ['Secrets of csi-onedata', { sourceSecret: 'raw', projectSecret: 'work' }],
    ['claims that show the spaces', { sourceMount: 'claim/raw', projectMount: 'claim/work' }],
    ['one of each', { sourceMount: 'claim/raw', projectSecret: 'work' }],
    ['csi-onedata with its Secrets', { sourceMount: 'csi-onedata', sourceSecret: 'raw', projectSecret: 'w' }],
  ])('needs no token with %s', (_name, changes) => {
    const none = { sourceToken: undefined, projectToken: undefined, createNamespace: 'false' };
    expect(problemsOf({ ...none, ...changes })).toEqual([]);
  });

  test('needs tokens for csi-onedata, whose Secrets are made from them', () => {
    const changes = { sourceMount: 'csi-onedata', projectMount: 'csi-onedata' };
    expect(problemsOf(changes)).toEqual([]);
    const both = { ...changes, onedataSecret: 'mine', createNamespace: 'false' };
    expect(problemsOf({ ...both, sourceToken: undefined, projectToken: undefined })).toEqual([
      expect.stringContaining('scipion:onedataSecret: found a value that contradicts another one'),
      expect.stringContaining('scipion:sourceToken: found nothing'),
      expect.stringContaining('scipion:projectToken: found nothing'),
    ]);
  });

  test('may let users sign in elsewhere, with or without a password and a secret', () => {
    const signIn = {
      signInIssuer: 'https://login.example.org/realms/site',
      signInClientId: 'scipion',
      signInUsers: '["jane@example.org"]',
    };
    const secretKeys = new Set([...TOKEN_KEYS, 'signInClientSecret']);
    expect(problemsOf(signIn)).toEqual([]);
    expect(problemsOf({ ...signIn, passwordLogin: 'false', signInNetworks: '["10.0.0.0/8"]' })).toEqual([]);
    expect(
      judge(rawStack({ ...signIn, signInClientSecret: 'of a client' }, { secretKeys })).problems,
    ).toEqual([]);
  });

  test('refuses a claim or a Secret in a namespace that is only made', () => {
    const [claim] = problemsOf({ projectMount: 'claim/work' });
    expect(claim).toContain('a new namespace has no claim yet');
    const [secret] = problemsOf({ projectSecret: 'work' });
    expect(secret).toContain('a new namespace has no Secret yet');
    expect(problemsOf({ sourceMount: 'work' })).toHaveLength(1);
  });
});

describe('secrets', () => {
  test.each([
    ['desktopPassword', 'placeholder', 'a value of 11 characters'],
    ['desktopPassword', 'placeholder\nof two lines', 'line breaks'],
    ['desktopPassword', 'a'.repeat(12), 'too few different characters'],
    ['desktopPassword', '\u200b'.repeat(12), 'too few different characters'],
    ['desktopPassword', 'abcd'.repeat(4), 'too few different characters'],
    ['desktopPassword', `abcd${'\u00a0\u2003\u200b\u00ad'.repeat(3)}`, 'too few different characters'],
    ['sourceToken', 'placeholder', 'a value of 11 characters that is no token'],
    ['projectToken', 'placeholder-token with a gap', 'spaces or line breaks'],
  ])('%s: %j is judged by what it is', (key, value, found) => {
    const problems = problemsOf({ [key]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(found);
    expect(problems[0]).toContain(`scipion:${key}: `);
  });

  test('that are not at hand are known by what no secret has, for previews alone', () => {
    const hidden = Object.fromEntries(TOKEN_KEYS.map((key) => [key, SECRET_PLACEHOLDER]));
    expect(problemsOf(hidden)).toEqual([]);
    expect(problemsOf({ sourceToken: `${SECRET_PLACEHOLDER}x` })).toHaveLength(1);
  });
});

describe('refusals', () => {
  const signIn = { signInIssuer: 'https://login.example.org', signInClientId: 'scipion' };

  test.each([
    [{ ...signIn, signInClientId: undefined, signInUsers: '["a"]' }, 'signInClientId', 'the id by which'],
    [signIn, 'signInUsers', 'else everybody whom signInIssuer knows could open the desktop'],
    [{ signInUsers: '["a"]' }, 'signInUsers', 'without signInIssuer there is no sign-in elsewhere'],
    [{ signInGroups: '["a"]' }, 'signInGroups', 'without signInIssuer there is no sign-in elsewhere'],
    [{ passwordLogin: 'false' }, 'passwordLogin', 'no one could log in at the page'],
    [{ ...signIn, signInUsers: '["a"]', signInScopes: '["profile"]' }, 'signInScopes', 'among them openid'],
    [{ ...signIn, signInUsers: '"a"' }, 'signInUsers', 'a list of texts'],
    [
      { ...signIn, signInUsers: '["a"]', networkIsolation: 'false', signInNetworks: '["10.0.0.0/8"]' },
      'signInNetworks',
      'nothing is closed',
    ],
    ...[
      'http://login.example.org',
      'https://login.example.org/?a=b',
      'https://a:b@login.example.org',
      'login',
    ].map(
      (signInIssuer) =>
        [{ ...signIn, signInUsers: '["a"]', signInIssuer }, 'signInIssuer', 'begins with https://'] as const,
    ),
  ] as const)('of a sign-in: %j', (changes, key, sentence) => {
    const problems = problemsOf(changes);
    expect(problems[0]).toContain(`scipion:${key}: `);
    expect(problems[0]).toContain(sentence);
  });

  test('of secrets that nothing would read', () => {
    const secretKeys = new Set([...TOKEN_KEYS, 'signInClientSecret']);
    const [unused] = judge(rawStack({ signInClientSecret: 'canary' }, { secretKeys })).problems;
    expect(unused).toContain('scipion:signInClientSecret');
    expect(unused).toContain('without signInIssuer there is no sign-in elsewhere');
    const off = {
      ...signIn,
      signInUsers: '["a"]',
      passwordLogin: 'false',
      desktopPassword: 'long enough to be one',
    };
    expect(problemsOf(off)).toEqual([]);
    const broken = { ...signIn, signInUsers: '["a"]', signInClientSecret: 'canary\nof two lines' };
    const [odd] = judge(rawStack(broken, { secretKeys })).problems;
    expect(odd).toContain('no secret of a client');
    expect(odd).not.toContain('canary');
  });

  test.each([
    [
      { namespace: 'default' },
      'scipion:namespace: found "default"; allowed: up to 63 of a-z, 0-9 and "-", not at the ends; not "default", not "kube-…"; set it: pulumi config set scipion:namespace jane-doe --stack jane',
    ],
    [
      { namespace: 'kube-system' },
      'scipion:namespace: found "kube-system"; allowed: up to 63 of a-z, 0-9 and "-", not at the ends; not "default", not "kube-…"; set it: pulumi config set scipion:namespace jane-doe --stack jane',
    ],
    [
      { version: '9.9.9' },
      'scipion:version: found "9.9.9"; allowed: one of 3.8.3, 3.7.1; set it: pulumi config set scipion:version 3.8.3 --stack jane',
    ],
    [
      { version: 'toString' },
      'scipion:version: found "toString"; allowed: one of 3.8.3, 3.7.1; set it: pulumi config set scipion:version 3.8.3 --stack jane',
    ],
    [
      { onedataHost: 'https://provider.example.org/spaces' },
      'scipion:onedataHost: found "https://provider.example.org/spaces"; allowed: a host name without scheme and path, with ":port" only where it is not 443; set it: pulumi config set scipion:onedataHost provider.example.org --stack jane',
    ],
    [
      { onedataHost: undefined, projectMount: 'csi-onedata' },
      'scipion:onedataHost: found the default; allowed: the host name of a Oneprovider: csi-onedata finds none by itself; set it: pulumi config set scipion:onedataHost provider.example.org --stack jane',
    ],
    [
      { cpuGuaranteed: '11', cpuLimit: '12' },
      'scipion:cpuGuaranteed: found "11"; allowed: a number of CPUs from 0.2 to 10; set it: pulumi config set scipion:cpuGuaranteed 4 --stack jane',
    ],
    [
      { cpuLimit: '15' },
      'scipion:cpuLimit: found "15"; allowed: a number of CPUs from 0.5 to 14, not below cpuGuaranteed; set it: pulumi config set scipion:cpuLimit 8 --stack jane',
    ],
    [
      { cpuGuaranteed: '6' },
      'scipion:cpuLimit: found the default; allowed: at least cpuGuaranteed, which is 6 CPUs; set it: pulumi config set scipion:cpuLimit 6 --stack jane',
    ],
    [
      { quotaCpuGuaranteed: '2', quotaCpuLimit: '3' },
      'scipion:cpuLimit: found the default; allowed: at most quotaCpuLimit, which is 3 CPUs; set it: pulumi config set scipion:cpuLimit 3 --stack jane',
    ],
    [
      { projectSpaceId: 'source-space' },
      'scipion:projectSpaceId: found "source-space"; allowed: another space than sourceSpaceId: work must not go among the raw data; set it: pulumi config set scipion:projectSpaceId ID-OF-THE-PROJECT-SPACE --stack jane',
    ],
    [
      { projectVolumeSize: '512Mi' },
      'scipion:projectVolumeSize: found "512Mi"; allowed: a size from 1Gi to 1000Ti; take it away: pulumi config set scipion:projectVolumeSize \'\' --stack jane',
    ],
    [
      { autosaveInterval: '5 mins' },
      'scipion:autosaveInterval: found "5 mins"; allowed: a duration from 10 seconds to 1 day; set it: pulumi config set scipion:autosaveInterval \'10 minutes\' --stack jane',
    ],
    [
      { ingressAnnotations: '{"a":1}' },
      `scipion:ingressAnnotations: found "{\\"a\\":1}"; allowed: names such as "example.org/name" (name up to 63 characters) with text values; none of pulumi.com and of this program, and no class (ingressClass is it); set it: pulumi config set scipion:ingressAnnotations '{"projectcontour.io/websocket-routes":"/"}' --stack jane`,
    ],
    [
      { memroy: '4Gi' },
      'scipion:memroy: found a key that is not known; the nearest is scipion:memory; remove it: pulumi config rm scipion:memroy --stack jane',
    ],
    [
      { sourceToken: undefined },
      'scipion:sourceToken: found nothing; allowed: a token of Onedata, stored encrypted; set it: pulumi config set --secret scipion:sourceToken --stack jane',
    ],
    [
      { projectToken: 'canary-source-token-0123456789' },
      'scipion:projectToken: found the same value as scipion:sourceToken; allowed: a token of its own: one that reads the source, one that writes the project; set it: pulumi config set --secret scipion:projectToken --stack jane',
    ],
    [
      { projectToken: 'canary with a gap' },
      'scipion:projectToken: found a value with spaces or line breaks inside; allowed: one token, as Onedata shows it; set it: pulumi config set --secret scipion:projectToken --stack jane',
    ],
    [
      { desktopPassword: '' },
      'scipion:desktopPassword: found an empty value; allowed: text; set it: pulumi config set --secret scipion:desktopPassword --stack jane',
    ],
  ])('%j', (changes, problem) => expect(problemsOf(changes)).toEqual([problem]));

  const required = Object.entries(SETTING_FIELDS)
    .filter(([key, field]) => key !== 'namespace' && !field.safeParse(undefined).success)
    .map(([key]) => key);
  const missingLine = (key: string) =>
    expect.stringMatching(
      new RegExp(`^scipion:${key}: found nothing; allowed: .*; set it: .* scipion:${key}\\b.* --stack jane$`),
    );

  test.each([...required, 'sourceToken', 'projectToken'])('of a stack without %s name it', (key) =>
    expect(problemsOf({ [key]: undefined })).toEqual([missingLine(key)]),
  );

  test('of a stack that says nothing name all that it must say, at once', () => {
    const all = [...required, 'sourceToken', 'projectToken'];
    expect(judge({ ...rawStack(), values: {} }).problems).toEqual(all.map(missingLine));
    expect(required.length).toBeGreaterThan(3);
  });

  test('of a stack name that cannot be a namespace say where it comes from', () => {
    expect(judge(rawStack({}, { stack: 'Jane_Doe' })).problems).toEqual([
      'scipion:namespace: found "Jane_Doe", the stack\'s name; allowed: up to 63 of a-z, 0-9 and "-", not at the ends; not "default", not "kube-…"; set it: pulumi config set scipion:namespace jane-doe --stack Jane_Doe',
    ]);
  });

  test('of a secret stored in clear', () => {
    expect(judge(rawStack({}, { secretKeys: new Set(['projectToken']) })).problems).toEqual([
      'scipion:sourceToken: found a value stored in clear; allowed: a value stored encrypted; set it: pulumi config set --secret scipion:sourceToken --stack jane',
    ]);
  });

  test('come all at once, a line each, rules between keys included', () => {
    const problems = problemsOf({
      memroy: '4Gi',
      version: '1.0',
      cpuGuaranteed: '8',
      cpuLimit: '2',
      projectToken: undefined,
    });
    expect(problems.map((problem) => problem.split(':', 2).join(':'))).toEqual([
      'scipion:memroy',
      'scipion:version',
      'scipion:cpuLimit',
      'scipion:projectToken',
    ]);
    expect(problemsMessage('jane', problems).split('\n')).toHaveLength(problems.length + 2);
  });

  test('never show a secret, whatever is wrong', () => {
    const key = fc.constantFrom('sourceToken', 'projectToken', 'desktopPassword', 'version', 'memory');
    fc.assert(
      fc.property(key, fc.stringMatching(/^canary[a-z ]{0,30}$/), (name, value) => {
        const { problems } = judge(rawStack({ [name]: value }, { secretKeys: new Set([name]) }));
        expect(problems.join('\n')).not.toContain('canary');
      }),
    );
  });

  test('never end in an exception', () => {
    const values = fc.dictionary(fc.string(), fc.string());
    fc.assert(
      fc.property(values, (some) => {
        expect(judge(rawStack(some)).problems).toBeInstanceOf(Array);
      }),
    );
  });
});

test.each([
  ['memroy', 'memory'],
  ['sourcespaceid', 'sourceSpaceId'],
  ['token', 'sourceToken'],
  ['password', 'desktopPassword'],
  ['cpuLimits', 'cpuLimit'],
])('the key nearest to %s', (key, nearest) => expect(nearestKey(key)).toBe(nearest));
