import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateRandom, previewRandom } from '../../automation/recording/random.ts';
import {
  decode,
  encode,
  Reference,
  reveal,
  Secret,
  UNKNOWN,
  type Value,
} from '../../automation/recording/values.ts';

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

describe('random values', () => {
  const PASSWORD = 'random:index/randomPassword:RandomPassword';
  test('have their length, are secret where the provider says so, and agree with each other', () => {
    expect((generateRandom(PASSWORD, { length: 24 }).outputs.result as Secret).value).toMatch(
      /^[A-Za-z0-9]{24}$/,
    );
    const bytes = generateRandom('random:index/randomBytes:RandomBytes', { length: 32 }).outputs;
    const base64 = (bytes.base64 as Secret).value as string;
    expect(Buffer.from(base64, 'base64').toString('hex')).toBe((bytes.hex as Secret).value);
    const id = generateRandom('random:index/randomId:RandomId', { byteLength: 4 });
    expect(id.outputs.hex).toMatch(/^[0-9a-f]{8}$/);
    expect(id.outputs.b64Url).toBe(id.id);
  });

  test('impossible demands and unknown types are refused by name', () => {
    expect(() => generateRandom(PASSWORD, { length: 'x' })).toThrow(/"length".*found x/);
    expect(() => generateRandom('random:index/randomPet:RandomPet', {})).toThrow(
      /RandomPet cannot be recorded/,
    );
    expect((previewRandom(PASSWORD, { length: 3 }).result as Secret).value).toBe(UNKNOWN);
  });
});
