import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { EngineError } from '../protocol.ts';
import { type Properties, reveal, Secret, UNKNOWN, type Value } from '../values.ts';

/**
 * The resources of `@pulumi/random`, drawn from the operating system's generator. Arguments, defaults and outputs are
 * those of the Pulumi provider. `bcryptHash` is not computed and is absent from the outputs.
 * @see https://www.pulumi.com/registry/packages/random/api-docs/
 */
interface Drawn {
  readonly id: string;
  readonly outputs: Properties;
}

type Draw = (inputs: Record<string, unknown>) => Drawn;

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const SPECIAL = '!@#$%&*()-_=+[]{}<>:?';

const DRAWS: Readonly<Record<string, Draw>> = {
  'random:index/randomPassword:RandomPassword': (inputs) => ({
    id: 'none',
    outputs: { ...characterDefaults(inputs), result: drawText(inputs) },
  }),
  'random:index/randomString:RandomString': (inputs) => {
    const result = drawText(inputs);
    return { id: result, outputs: { ...characterDefaults(inputs), result } };
  },
  'random:index/randomBytes:RandomBytes': (inputs) => {
    const bytes = randomBytes(count(inputs, 'length'));
    return { id: 'none', outputs: { base64: bytes.toString('base64'), hex: bytes.toString('hex') } };
  },
  'random:index/randomId:RandomId': (inputs) => {
    const bytes = randomBytes(count(inputs, 'byteLength'));
    const prefix = typeof inputs.prefix === 'string' ? inputs.prefix : '';
    const b64Url = bytes.toString('base64url');
    const texts = {
      b64Std: bytes.toString('base64'),
      b64Url,
      dec: BigInt(`0x${bytes.toString('hex')}`).toString(),
      hex: bytes.toString('hex'),
    };
    const outputs = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, prefix + text]));
    return { id: b64Url, outputs };
  },
  'random:index/randomUuid:RandomUuid': () => {
    const result = randomUUID();
    return { id: result, outputs: { result } };
  },
  'random:index/randomInteger:RandomInteger': (inputs) => {
    const result = randomInt(Number(inputs.min), Number(inputs.max) + 1);
    return { id: String(result), outputs: { result } };
  },
  'random:index/randomShuffle:RandomShuffle': (inputs) => {
    const all = shuffle(Array.isArray(inputs.inputs) ? (inputs.inputs as Value[]) : []);
    const results = all.slice(0, inputs.resultCount === undefined ? all.length : Number(inputs.resultCount));
    return { id: '-', outputs: { results } };
  },
};

/** Outputs that are secret whatever the program says. */
const SECRET_OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  'random:index/randomPassword:RandomPassword': ['result'],
  'random:index/randomBytes:RandomBytes': ['base64', 'hex'],
};

/** What a draw gives besides its inputs; in a preview these are unknown. */
const RESULTS: Readonly<Record<string, readonly string[]>> = {
  'random:index/randomId:RandomId': ['b64Std', 'b64Url', 'dec', 'hex'],
  'random:index/randomBytes:RandomBytes': ['base64', 'hex'],
  'random:index/randomShuffle:RandomShuffle': ['results'],
};

/** @throws EngineError for a type or an argument that this engine does not know. */
function drawOf(type: string): Draw {
  const draw = DRAWS[type];
  if (!draw) {
    throw new EngineError(
      `${type} is not part of the embedded engine. Known: ${Object.keys(DRAWS).join(', ')}. Use the Pulumi CLI for it.`,
    );
  }
  return draw;
}

/** Draws once. `keepers` and all other inputs are among the outputs. */
export function drawRandom(type: string, inputs: Properties): Drawn {
  const plain = reveal(inputs) as Record<string, unknown>;
  if (plain.seed !== undefined) {
    throw new EngineError(
      `${type}: "seed" is not part of the embedded engine, which draws from the system only.`,
    );
  }
  const drawn = drawOf(type)(plain);
  return { id: drawn.id, outputs: { ...inputs, ...markSecret(type, drawn.outputs) } };
}

/** The outputs as a preview knows them: inputs known, what would be drawn unknown. */
export function previewRandom(type: string, inputs: Properties): Properties {
  drawOf(type);
  const unknown = Object.fromEntries(
    (RESULTS[type] ?? ['result']).map((key): [string, Value] => [key, UNKNOWN]),
  );
  return { ...inputs, ...markSecret(type, unknown) };
}

function markSecret(type: string, outputs: Properties): Properties {
  const secret = SECRET_OUTPUTS[type] ?? [];
  return Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => [key, secret.includes(key) ? new Secret(value) : value]),
  );
}

function count(inputs: Record<string, unknown>, key: string): number {
  const value = inputs[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw new EngineError(
      `"${key}" of a random resource: found ${String(value)}, expected a whole number above 0.`,
    );
  }
  return value;
}

function isOn(inputs: Record<string, unknown>, key: string): boolean {
  return inputs[key] !== false;
}

function characterDefaults(inputs: Record<string, unknown>): Properties {
  const numeric = isOn(inputs, 'numeric') && isOn(inputs, 'number');
  const switches = {
    lower: isOn(inputs, 'lower'),
    upper: isOn(inputs, 'upper'),
    special: isOn(inputs, 'special'),
  };
  const minimums = ['minLower', 'minUpper', 'minNumeric', 'minSpecial'].map((key): [string, Value] => [
    key,
    minimum(inputs, key),
  ]);
  return { ...switches, numeric, number: numeric, ...Object.fromEntries(minimums) };
}

function minimum(inputs: Record<string, unknown>, key: string): number {
  return typeof inputs[key] === 'number' ? inputs[key] : 0;
}

function drawText(inputs: Record<string, unknown>): string {
  const length = count(inputs, 'length');
  const special = typeof inputs.overrideSpecial === 'string' ? inputs.overrideSpecial : SPECIAL;
  const numeric = isOn(inputs, 'numeric') && isOn(inputs, 'number');
  const classes = [
    { characters: isOn(inputs, 'lower') ? LOWER : '', least: minimum(inputs, 'minLower') },
    { characters: isOn(inputs, 'upper') ? UPPER : '', least: minimum(inputs, 'minUpper') },
    { characters: numeric ? DIGITS : '', least: minimum(inputs, 'minNumeric') },
    { characters: isOn(inputs, 'special') ? special : '', least: minimum(inputs, 'minSpecial') },
  ];
  const all = classes.map((part) => part.characters).join('');
  const least = classes.reduce((sum, part) => sum + part.least, 0);
  if (all === '' || least > length) {
    throw new EngineError(
      `random text of length ${length}: found ${all.length} allowed characters and minimums of ${least} together, expected at least one character and minimums within the length.`,
    );
  }
  const drawn = classes.flatMap((part) => pick(part.characters || all, part.least));
  return shuffle([...drawn, ...pick(all, length - drawn.length)]).join('');
}

function pick(characters: string, times: number): string[] {
  return Array.from({ length: times }, () => characters.charAt(randomInt(characters.length)));
}

/** Fisher–Yates. */
function shuffle<T>(list: readonly T[]): T[] {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
