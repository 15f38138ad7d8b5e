import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readToken } from '../../../automation/fleet/index.ts';
import { askJson } from '../../../components/onedata-request.ts';
import { type Emulator, pathCaveat, startEmulator } from '../../../emulators/onedata/index.ts';
import { givenAnswers, pulumiCommands, refuseSecretArguments } from '../answers.ts';
import type { Prompts } from '../prompts.ts';
import { askNew, type Circumstances } from '../questions.ts';
import { operationLines } from '../show.ts';

/** What `new` asks, with tokens of an Onedata emulator. */

const place = mkdtempSync(join(tmpdir(), 'instance-'));
let emulator: Emulator;
let tokens: { source: string; project: string; all: string };
beforeAll(async () => {
  const spaces = [
    { id: 'raw-id', name: 'Microscope' },
    { id: 'work-id', name: 'Projects' },
  ];
  emulator = await startEmulator({ dataDirectory: join(place, 'onedata'), listen: { port: 0 }, spaces });
  tokens = {
    source: emulator.mint({ caveats: [{ type: 'data.readonly' }, pathCaveat(['raw-id'])] }).token,
    project: emulator.mint({ caveats: [pathCaveat(['work-id'])] }).token,
    all: emulator.mint().token,
  };
});
afterAll(async () => {
  await emulator.close();
  rmSync(place, { recursive: true, force: true });
});

let warnings: string[];
let asked: string[];
beforeEach(() => {
  warnings = [];
  asked = [];
});

const base = () => ({
  values: {
    domain: 'example.org',
    ingressClass: 'nginx',
    imageRepository: 'registry.example.org/scipion',
    onedataCertificateAuthorities: emulator.authorityPem,
  },
  secretKeys: new Set<string>(),
  others: {},
});
const circumstances = (prompts?: Prompts, others: Circumstances['others'] = []): Circumstances => ({
  name: 'jane',
  base: base(),
  prompts,
  others,
  warn: (text) => warnings.push(text),
  // A token names its zone without a port, and zones are at 443.
  ask: (request) => askJson({ ...request, host: `${request.host}:${emulator.providerHost.split(':')[1]}` }),
});
const nothing = { settings: {}, secrets: {}, others: {} };

/** Answers in order; `undefined` takes what is offered. What is refused is written down and the next one is tried. */
function scripted(answers: readonly (string | undefined)[]): Prompts {
  const left = [...answers];
  return {
    text: async (message, preset, check) => {
      for (;;) {
        const answer = left.shift() ?? preset ?? '';
        const verdict = check(answer);
        asked.push(verdict === true ? `${message} ${answer}` : `${message} ${answer} -> ${verdict}`);
        if (verdict === true) return answer;
      }
    },
    secret: async (message, check) => {
      for (;;) {
        const answer = left.shift() ?? '';
        const verdict = await check(answer);
        asked.push(verdict === true ? message : `${message} -> ${verdict}`);
        if (verdict === true) return answer;
      }
    },
    choose: async (message, choices, preset) => {
      const wanted = left.shift();
      const found = choices.find(({ name, value, disabled }) =>
        wanted === undefined
          ? preset === undefined
            ? disabled === undefined
            : value === preset
          : name === wanted,
      );
      if (found === undefined || found.disabled !== undefined)
        throw new Error(`${message} ${wanted}: ${found?.disabled ?? 'not offered'}`);
      asked.push(`${message} ${found.name}`);
      return found.value;
    },
    agree: async () => true,
  };
}

describe('at a terminal', () => {
  test('tokens lead to spaces by name, and what is the default is not written', async () => {
    const prompts = scripted([
      tokens.source,
      'Microscope',
      tokens.project,
      'Projects',
      undefined,
      undefined,
      '8',
    ]);
    const spec = await askNew(nothing, circumstances(prompts));
    expect(spec).toEqual({
      settings: { sourceSpaceId: 'raw-id', projectSpaceId: 'work-id', cpuLimit: '8' },
      secrets: { sourceToken: tokens.source, projectToken: tokens.project },
      others: {},
    });
    expect(asked).toEqual([
      'Token that reads the raw data:',
      'Space with the raw data: Microscope',
      'Token that reads and writes your work:',
      'Space that keeps your work: Projects',
      'Scipion release: 3.8.3',
      'CPUs that are always there: 2',
      'CPUs that may be used where others leave them: 8',
      'Memory: 8Gi',
      'Volume for the copy of the raw data: 100Gi',
      'Volume for your work: 50Gi',
    ]);
    expect(warnings).toEqual([]);
  });

  test('a wrong answer is asked for again at once, with what is allowed', async () => {
    const invite = emulator.mint({ kind: 'invite' }).token;
    const ended = emulator.mint({ caveats: [{ type: 'time', validUntil: 1 }] }).token;
    const prompts = scripted([
      ...['', 'two words here that are no token', invite, ended, tokens.source, 'Microscope'],
      ...[tokens.source, tokens.project, 'Projects', undefined, undefined, '20', '14'],
    ]);
    await askNew(nothing, circumstances(prompts));
    expect(asked.filter((line) => line.includes(' -> '))).toEqual([
      expect.stringContaining('-> Found nothing; expected an access token'),
      expect.stringContaining('-> Found a text of 32 characters that is no token'),
      expect.stringContaining('-> The Onedata token is an invite token'),
      expect.stringContaining('-> The Onedata token has expired at 1970-01-01'),
      expect.stringContaining('-> This is the token of the raw data'),
      'CPUs that may be used where others leave them: 20 -> Allowed: a number of CPUs from 0.5 to 14, not below cpuGuaranteed.',
    ]);
  });

  test('a source token that could write, a read-only project token and a space in use are told', async () => {
    const prompts = scripted([tokens.all, 'Microscope', tokens.project, 'Projects']);
    const others = [{ name: 'joe', projectSpaceId: 'work-id' }];
    await askNew(nothing, circumstances(prompts, others));
    expect(warnings).toEqual([
      expect.stringContaining('could also write. Reading is enough'),
      expect.stringContaining('The project space is the one of joe'),
    ]);
    const readonly = emulator.mint({ caveats: [{ type: 'data.readonly' }] }).token;
    const refused = askNew(
      nothing,
      circumstances(scripted([tokens.source, 'Microscope', readonly, 'Projects'])),
    );
    await expect(refused).rejects.toThrow('The token for the project space may only read');
  });
});

describe('without a terminal', () => {
  const secrets = () => ({ sourceToken: tokens.source, projectToken: tokens.project });

  test('spaces are taken by name or id, and all that is missing is named', async () => {
    const settings = { sourceSpaceId: 'Microscope', projectSpaceId: 'work-id' };
    const spec = await askNew({ ...nothing, settings, secrets: secrets() }, circumstances());
    expect(spec.settings).toEqual({ sourceSpaceId: 'raw-id', projectSpaceId: 'work-id' });
    await expect(askNew(nothing, circumstances())).rejects.toThrow(
      /^Missing for jane: --source-token-file FILE, --source-space ID-OR-NAME, --project-token-file FILE, --project-space ID-OR-NAME\./,
    );
  });

  test('a space that the token does not open is told with those that it does', async () => {
    const settings = { sourceSpaceId: 'Projects', projectSpaceId: 'work-id' };
    await expect(askNew({ ...nothing, settings, secrets: secrets() }, circumstances())).rejects.toThrow(
      '--source-space: the source token opens no such space; it opens: Microscope (raw-id).',
    );
  });
});

test('a zone that cannot be asked leaves the space to its id, and says why', async () => {
  const ask = () => Promise.reject(Object.assign(new Error('away'), { code: 'ECONNREFUSED' }));
  expect(await readToken({ token: tokens.source, side: 'source', ask })).toMatchObject({
    kind: 'unasked',
    message: expect.stringMatching(/^The zone onezone\..* cannot be asked from here \(ECONNREFUSED\)\.$/),
  });
});

describe('answers', () => {
  const file = join(place, 'answers.yaml');
  afterEach(() => rmSync(file, { force: true }));

  test('come from a file and from flags, the flags winning', async () => {
    writeFileSync(
      file,
      'memory: 16Gi\nsourceInclude: ["raw/**"]\nsourceToken: secret-of-file\nkubernetes:context: x\n',
    );
    expect(await givenAnswers({ answers: file, memory: '32Gi', set: { paused: 'true' } })).toEqual({
      settings: { memory: '32Gi', sourceInclude: '["raw/**"]', paused: 'true' },
      secrets: { sourceToken: 'secret-of-file' },
      others: { 'kubernetes:context': 'x' },
    });
  });

  test.each([
    ['sourceToken: [unclosed', /is neither JSON nor YAML/],
    ['- a\n- b', /has another form than expected/],
    ['memroy: 16Gi', /"memroy" that is not known; the nearest is memory/],
  ])('of another form: %j', async (content, words) => {
    writeFileSync(file, content);
    await expect(givenAnswers({ answers: file })).rejects.toThrow(words);
  });

  test('a file that is not there', async () => {
    await expect(givenAnswers({ sourceTokenFile: join(place, 'none') })).rejects.toThrow(
      /none cannot be read \(ENOENT\)/,
    );
  });

  test('secrets are refused as arguments, and not shown', () => {
    for (const args of [
      ['--set', 'sourceToken=abc'],
      ['--set=scipion:desktopPassword=x'],
      ['new', tokens.all],
    ]) {
      expect(() => refuseSecretArguments(args)).toThrow(/\(not shown\)/);
      expect(() => refuseSecretArguments(args)).not.toThrow(/abc|=x/);
    }
    const authorities = `onedataCertificateAuthorities=${emulator.authorityPem}`;
    for (const args of [
      ['new', 'jane', '--source-token-file', '/tmp/token'],
      ['--set', authorities],
    ])
      expect(() => refuseSecretArguments(args)).not.toThrow();
  });

  test('are shown as the commands of Pulumi, without secrets', () => {
    const settings = { memory: '16Gi', autosaveInterval: '10 minutes' };
    expect(
      pulumiCommands('pulumi', 'jane', { settings, secrets: { sourceToken: 'hidden' }, others: {} }, true),
    ).toEqual([
      'pulumi stack init jane --no-select',
      'pulumi config set scipion:memory 16Gi --stack jane',
      "pulumi config set scipion:autosaveInterval '10 minutes' --stack jane",
      'pulumi config set --secret scipion:sourceToken --stack jane',
      'pulumi up --stack jane',
    ]);
  });
});

test('what was killed is explained with the way on', () => {
  const record = {
    kind: 'create' as const,
    since: '2026-11-30T09:10:11Z',
    host: 'h',
    pid: 12,
    stage: 'engine' as const,
    underWay: ['create StatefulSet scipion'],
  };
  expect(operationLines('jane', { record, state: 'killed' })).toEqual([
    'Operation  "create" (since 2026-11-30 09:10 UTC, process 12 on h) was killed: the engine was changing the objects in the cluster, in the middle of: create StatefulSet scipion',
    '           saved work is not touched by this. To continue: npm run instance -- resume jane',
    '           to leave it as it is and forget this: npm run instance -- resume jane --give-up',
  ]);
  const early = operationLines('jane', { record: { ...record, stage: 'settings' }, state: 'killed' });
  expect(early.join('\n')).toContain('To continue: npm run instance -- new jane');
});
