import { randomBytes, randomInt } from 'node:crypto';
import { EngineError } from './protocol.ts';
import { type Properties, reveal, Secret, UNKNOWN, type Value } from './values.ts';

/**
 * What the resources of `@pulumi/random` answer in a recording: values of the right shape, generated from random bytes of the system.
 * @see https://www.pulumi.com/registry/packages/random/api-docs/
 */
interface Generated {
  readonly id: string;
  readonly outputs: Properties;
}

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const DRAWS: Readonly<Record<string, (inputs: Record<string, unknown>) => Generated>> = {
  'random:index/randomPassword:RandomPassword': (inputs) => {
    const characters = Array.from({ length: count(inputs, 'length') }, () =>
      CHARACTERS.charAt(randomInt(CHARACTERS.length)),
    );
    return { id: 'none', outputs: { result: new Secret(characters.join('')) } };
  },
  'random:index/randomBytes:RandomBytes': (inputs) => {
    const bytes = randomBytes(count(inputs, 'length'));
    const outputs = { base64: new Secret(bytes.toString('base64')), hex: new Secret(bytes.toString('hex')) };
    return { id: 'none', outputs };
  },
  'random:index/randomId:RandomId': (inputs) => {
    const bytes = randomBytes(count(inputs, 'byteLength'));
    const id = bytes.toString('base64url');
    return { id, outputs: { b64Url: id, hex: bytes.toString('hex') } };
  },
};

/** Draws once; all inputs are among the outputs. @throws EngineError for a type that is not known here */
export function generateRandom(type: string, inputs: Properties): Generated {
  const draw = DRAWS[type];
  if (!draw) {
    const known = Object.keys(DRAWS).join(', ');
    throw new EngineError(
      `${type} cannot be recorded. Known: ${known}. Add it to automation/recording/random.ts.`,
    );
  }
  const { id, outputs } = draw(reveal(inputs) as Record<string, unknown>);
  return { id, outputs: { ...inputs, ...outputs } };
}

/** The outputs as a preview knows them: inputs known, what would be generated unknown. */
export function previewRandom(type: string, inputs: Properties): Properties {
  const unknown = (value: Value): Value => (value instanceof Secret ? new Secret(UNKNOWN) : UNKNOWN);
  const drawn = Object.entries(generateRandom(type, inputs).outputs);
  return Object.fromEntries(drawn.map(([key, value]) => [key, key in inputs ? value : unknown(value)]));
}

function count(inputs: Record<string, unknown>, key: string): number {
  const value = inputs[key];
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  throw new EngineError(
    `"${key}" of a random resource: found ${String(value)}, expected a whole number above 0.`,
  );
}
