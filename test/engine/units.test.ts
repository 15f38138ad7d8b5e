import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { changedPaths, formatPath, parsePath, touches, withIgnored } from '../../local/engine/diff.ts';
import { aliasUrns, dependentsWithin } from '../../local/engine/graph.ts';
import { parseDuration } from '../../local/engine/limiter.ts';
import { takeLock } from '../../local/engine/lock.ts';
import { makeUrn, type ResourceRequest } from '../../local/engine/protocol.ts';
import { immutableChanges } from '../../local/engine/providers/immutable.ts';
import { drawRandom, previewRandom } from '../../local/engine/providers/random.ts';
import { isAwaited, readiness } from '../../local/engine/providers/readiness.ts';
import { decryptText, encryptText, newKey } from '../../local/engine/secrets.ts';
import { type ResourceState, StateFile } from '../../local/engine/state.ts';
import {
  decode,
  encode,
  type Properties,
  Reference,
  reveal,
  Secret,
  UNKNOWN,
  type Value,
} from '../../local/engine/values.ts';

const anyValue = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Value>(null, true, 0, 1.5, '', 'text', UNKNOWN),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.stringMatching(/^[a-z./-]{1,8}$/), tie('value'), { maxKeys: 3 }),
    tie('value').map((value) => new Secret(value)),
    fc.constant(new Reference('urn:pulumi:s::p::t::n', 'id')),
  ),
})).value;

describe('values', () => {
  test('come back from the wire as they went', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(decode(JSON.parse(JSON.stringify(encode(value))))).toEqual(value);
      }),
    );
  });

  test('print no secret', () => {
    const value = { list: [new Secret('hunter2')], map: new Secret({ key: 'hunter2' }) };
    expect(JSON.stringify(value)).not.toContain('hunter2');
    expect(JSON.stringify(reveal(value))).toContain('hunter2');
  });
});

describe('differences', () => {
  test('a value does not differ from itself, marked secret or not, unless it is unknown', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        expect(changedPaths(json as Value, structuredClone(json) as Value)).toEqual([]);
        expect(changedPaths(new Secret(json as Value), json as Value)).toEqual([]);
      }),
    );
    expect(changedPaths({ a: UNKNOWN }, { a: UNKNOWN })).toEqual([['a']]);
  });

  test('are named by the deepest place both sides have', () => {
    const before = { spec: { containers: [{ image: 'a' }], replicas: 1 }, gone: 1 };
    const after = { spec: { containers: [{ image: 'b' }, { image: 'c' }], replicas: 1 }, 'x/y': 1 };
    expect(changedPaths(before, after).map(formatPath)).toEqual([
      'gone',
      'spec.containers[0].image',
      'spec.containers[1]',
      '["x/y"]',
    ]);
  });

  test.each([
    ['spec.containers[0].image', ['spec', 'containers', 0, 'image']],
    ['metadata.annotations["a.b/c"]', ['metadata', 'annotations', 'a.b/c']],
    ['spec.containers[*].image', ['spec', 'containers', '*', 'image']],
  ])('the path %s is read', (text, steps) => {
    expect(parsePath(text)).toEqual(steps);
  });

  test('a pattern touches what is at, below and above it', () => {
    const pattern = parsePath('spec.containers[*].image');
    expect(touches(pattern, ['spec', 'containers', 3, 'image'])).toBe(true);
    expect(touches(pattern, ['spec'])).toBe(true);
    expect(touches(pattern, ['spec', 'containers', 3, 'name'])).toBe(false);
  });

  test('ignored places keep their old value, with its absence', () => {
    const before: Properties = { data: { a: 1 }, list: [{ x: 1 }], secret: new Secret({ k: 1 }) };
    const after: Properties = { data: { a: 2, b: 3 }, list: [{ x: 2 }], secret: new Secret({ k: 2 }) };
    expect(withIgnored(before, after, ['data.a', 'data.b', 'list[*].x', 'secret.k'])).toEqual(before);
  });
});

describe('what needs a new object', () => {
  const both = { secrets: true, configMaps: true };
  test.each<[string, Properties, string, typeof both, boolean]>([
    ['replicas', { apiVersion: 'apps/v1', kind: 'StatefulSet' }, 'spec.replicas', both, false],
    ['service name', { apiVersion: 'apps/v1', kind: 'StatefulSet' }, 'spec.serviceName', both, true],
    ['name', { apiVersion: 'v1', kind: 'Service' }, 'metadata.name', both, true],
    ['label', { apiVersion: 'v1', kind: 'Service' }, 'metadata.labels.a', both, false],
    [
      'size',
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
      'spec.resources.requests.storage',
      both,
      false,
    ],
    ['class', { apiVersion: 'v1', kind: 'PersistentVolumeClaim' }, 'spec.storageClassName', both, true],
    ['secret data', { apiVersion: 'v1', kind: 'Secret' }, 'data.token', both, false],
    ['secret data', { apiVersion: 'v1', kind: 'Secret' }, 'data.token', { ...both, secrets: false }, true],
    ['immutable', { apiVersion: 'v1', kind: 'Secret', immutable: true }, 'data.token', both, true],
    ['config data', { apiVersion: 'v1', kind: 'ConfigMap' }, 'data.a', { ...both, configMaps: false }, true],
  ])('%s', (_name, inputs, path, mutable, isNeeded) => {
    expect(immutableChanges(inputs, [parsePath(path)], mutable).length === 1).toBe(isNeeded);
  });
});

describe('readiness', () => {
  const set = (spec: object, status: object) => ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { generation: 2 },
    spec,
    status,
  });
  test.each<[string, Record<string, unknown>, boolean, string]>([
    [
      'ready',
      set({ replicas: 1 }, { observedGeneration: 2, readyReplicas: 1, updatedReplicas: 1 }),
      false,
      'ready',
    ],
    [
      'not observed',
      set({ replicas: 1 }, { observedGeneration: 1, readyReplicas: 1, updatedReplicas: 1 }),
      false,
      'waiting',
    ],
    [
      'rolling',
      set({ replicas: 1 }, { observedGeneration: 2, readyReplicas: 1, updatedReplicas: 0 }),
      false,
      'waiting',
    ],
    [
      'on delete',
      set({ replicas: 1, updateStrategy: { type: 'OnDelete' } }, { observedGeneration: 2, readyReplicas: 1 }),
      false,
      'ready',
    ],
    ['paused', set({ replicas: 0 }, { observedGeneration: 2 }), false, 'ready'],
    [
      'late binding claim',
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } },
      true,
      'ready',
    ],
    [
      'unbound claim',
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } },
      false,
      'waiting',
    ],
    [
      'ending namespace',
      { apiVersion: 'v1', kind: 'Namespace', status: { phase: 'Terminating' } },
      false,
      'waiting',
    ],
    [
      'failed job',
      { apiVersion: 'batch/v1', kind: 'Job', status: { conditions: [{ type: 'Failed', status: 'True' }] } },
      false,
      'failed',
    ],
    ['config map', { apiVersion: 'v1', kind: 'ConfigMap' }, false, 'ready'],
  ])('%s', (_name, object, bindsLate, state) => {
    expect(readiness(object, { bindsLate }).state).toBe(state);
  });

  test('kinds without a state of their own are not asked for again', () => {
    expect(isAwaited({ apiVersion: 'v1', kind: 'Secret' })).toBe(false);
    expect(isAwaited({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' })).toBe(false);
    expect(isAwaited({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' })).toBe(true);
  });
});

describe('random values', () => {
  const PASSWORD = 'random:index/randomPassword:RandomPassword';
  test('a password has its length, its classes and at least its minimums', () => {
    const minimums = fc.record({
      minLower: fc.nat(4),
      minUpper: fc.nat(4),
      minNumeric: fc.nat(4),
      minSpecial: fc.nat(4),
      length: fc.integer({ min: 16, max: 64 }),
    });
    fc.assert(
      fc.property(minimums, (inputs) => {
        const { outputs } = drawRandom(PASSWORD, { ...inputs, overrideSpecial: '_-' });
        const text = (outputs.result as Secret).value as string;
        expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(text).toHaveLength(inputs.length);
        const counts = [/[a-z]/g, /[A-Z]/g, /[0-9]/g, /[_-]/g].map(
          (pattern) => text.match(pattern)?.length ?? 0,
        );
        expect(counts[0]).toBeGreaterThanOrEqual(inputs.minLower);
        expect(counts[1]).toBeGreaterThanOrEqual(inputs.minUpper);
        expect(counts[2]).toBeGreaterThanOrEqual(inputs.minNumeric);
        expect(counts[3]).toBeGreaterThanOrEqual(inputs.minSpecial);
      }),
    );
  });

  test('bytes are secret and agree with each other; ids carry their prefix', () => {
    const bytes = drawRandom('random:index/randomBytes:RandomBytes', { length: 32 }).outputs;
    const base64 = (bytes.base64 as Secret).value as string;
    expect(Buffer.from(base64, 'base64').toString('hex')).toBe((bytes.hex as Secret).value);
    const id = drawRandom('random:index/randomId:RandomId', { byteLength: 4, prefix: 'x-' });
    expect(id.outputs.hex).toMatch(/^x-[0-9a-f]{8}$/);
    expect(id.outputs.b64Url).toBe(`x-${id.id}`);
  });

  test('impossible demands and unknown types are refused by name', () => {
    expect(() => drawRandom(PASSWORD, { length: 2, minLower: 3 })).toThrow(/length 2.*minimums of 3/);
    expect(() => drawRandom(PASSWORD, { length: 'x' })).toThrow(/"length".*found x/);
    expect(() => drawRandom('random:index/randomPet:RandomPet', {})).toThrow(/RandomPet is not part/);
    expect((previewRandom(PASSWORD, { length: 3 }).result as Secret).value).toBe(UNKNOWN);
  });
});

describe('state on disk', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'engine-state-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const resource: ResourceState = {
    urn: makeUrn('dev', 'p', undefined, 'a:b:C', 'n'),
    type: 'a:b:C',
    name: 'n',
    custom: true,
    id: 'id',
    inputs: { token: new Secret('hunter2'), nested: [new Secret({ a: 'hunter2' })] },
    outputs: {},
    options: { dependencies: [], propertyDependencies: {}, customTimeouts: {}, hooks: {} },
  };
  const state = { project: 'p', stack: 'dev', resources: [resource], outputs: { o: new Secret('hunter2') } };

  test('comes back whole, holds no secret in clear, keeps the version before', async () => {
    const file = await StateFile.open(directory);
    await Promise.all([file.write({ ...state, resources: [] }), file.write(state)]);
    expect(await (await StateFile.open(directory)).read('p', 'dev')).toEqual(state);
    for (const name of readdirSync(directory))
      expect(readFileSync(join(directory, name), 'utf8')).not.toContain('hunter2');
    expect(readdirSync(directory).toSorted()).toEqual(['key', 'state.json', 'state.json.previous']);
    expect(JSON.parse(readFileSync(join(directory, 'state.json.previous'), 'utf8')).resources).toEqual([]);
  });

  test('of another stack, damaged, or without its key is refused, never taken for empty', async () => {
    const file = await StateFile.open(directory);
    await file.write(state);
    await expect(file.read('p', 'other')).rejects.toThrow('belongs to stack dev of p, expected other of p');
    writeFileSync(join(directory, 'state.json'), '{"format":1,');
    await expect(file.read('p', 'dev')).rejects.toThrow(
      /not a readable state.*\n.*previous is the version before/,
    );
    rmSync(join(directory, 'key'));
    await expect(StateFile.open(directory)).rejects.toThrow(/key is missing/);
  });

  test('the lock names its owner, and a dead owner loses it', async () => {
    const release = await takeLock(directory, 'up --stack dev');
    await expect(takeLock(directory, 'destroy')).rejects.toThrow(
      new RegExp(
        `^The stack is locked: \`up --stack dev\` of \\w+ \\(process ${process.pid} on ${hostname()}\\)`,
      ),
    );
    await release();
    const dead = {
      pid: process.pid,
      started: '1',
      host: hostname(),
      user: 'x',
      since: 'then',
      command: 'up',
    };
    writeFileSync(join(directory, 'lock'), JSON.stringify(dead));
    await (await takeLock(directory, 'up'))();
    writeFileSync(join(directory, 'lock'), JSON.stringify({ ...dead, host: 'elsewhere' }));
    await expect(takeLock(directory, 'up')).rejects.toThrow('on elsewhere');
    writeFileSync(join(directory, 'lock'), '');
    await expect(takeLock(directory, 'up')).rejects.toThrow('does not say who holds it');
  });

  test('encryption refuses another key and changed text', () => {
    const key = newKey();
    const sealed = encryptText(key, 'text');
    expect(decryptText(key, sealed)).toBe('text');
    expect(() => decryptText(newKey(), sealed)).toThrow('could not be decrypted');
    expect(() => decryptText(key, `${sealed}:x`)).toThrow('not of the form');
  });
});

describe('the graph', () => {
  const where = { stack: 'dev', project: 'p' };
  const request = (changes: Partial<ResourceRequest['options']>, name = 'a-child'): ResourceRequest => {
    const parent = 'urn:pulumi:dev::p::x:y:New::a';
    const options = {
      dependencies: [],
      propertyDependencies: {},
      customTimeouts: {},
      ignoreChanges: [],
      replaceOnChanges: [],
      additionalSecretOutputs: [],
      aliases: [],
      providers: {},
      replaceWith: [],
      hooks: {},
      parent,
      ...changes,
    };
    return {
      urn: makeUrn('dev', 'p', parent, 'k:v:T', name),
      type: 'k:v:T',
      name,
      custom: true,
      inputs: {},
      options,
    };
  };

  test('aliases: own names, types and parents, and those inherited from a renamed parent', () => {
    const aliases = aliasUrns(
      request({ aliases: [{ spec: { name: 'old' } }, { spec: { noParent: true } }, { urn: 'urn:whole' }] }),
      where,
      ['urn:pulumi:dev::p::x:y:Old::b'],
    );
    expect(aliases).toEqual(
      expect.arrayContaining([
        'urn:pulumi:dev::p::x:y:New$k:v:T::old',
        'urn:pulumi:dev::p::k:v:T::a-child',
        'urn:whole',
        'urn:pulumi:dev::p::x:y:Old$k:v:T::a-child',
        'urn:pulumi:dev::p::x:y:Old$k:v:T::b-child',
      ]),
    );
    expect(aliasUrns(request({}), where, [])).toEqual([]);
  });

  test('what is needed by parent, dependency, property or provider waits for those who need it', () => {
    const make = (urn: string, options: Partial<ResourceState['options']>): ResourceState => ({
      urn,
      type: 't',
      name: urn,
      custom: true,
      id: '',
      inputs: {},
      outputs: {},
      options: { dependencies: [], propertyDependencies: {}, customTimeouts: {}, hooks: {}, ...options },
    });
    const base = make('base', {});
    const users = [
      make('child', { parent: 'base' }),
      make('after', { dependencies: ['base'] }),
      make('input', { propertyDependencies: { spec: ['base'] } }),
      make('managed', { provider: 'base::some-id' }),
    ];
    expect(dependentsWithin([base, ...users]).get(base)).toEqual(users);
  });

  test.each([
    ['10m', 600],
    ['1h30m', 5400],
    ['90s', 90],
    ['1.5h', 5400],
  ])('the duration %s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });
  test('a duration without a unit is refused', () => {
    expect(() => parseDuration('10')).toThrow('is not a duration');
  });
});
