import { inspect } from 'node:util';

/**
 * Property values as the engine holds them. The wire marks secrets, unknowns and references by objects with a signature
 * key or by a reserved string (Pulumi's `sdk/nodejs/runtime/rpc.ts`); here they are classes, so that a secret
 * cannot be printed by accident and an unknown cannot be taken for text.
 */
const SIGNATURE_KEY = '4dabf18193072939515e22adb298388d';
const SIGNATURES = {
  secret: '1b47061264138c4ac30d75fd1eb44270',
  reference: '5cf8f73096256a8f31e491e813e4eb8e',
  output: 'd0e6a833031e9bbcd3f4e8bde6ca49a4',
} as const;
const UNKNOWN_TEXT = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

export type Value = null | boolean | number | string | Secret | Unknown | Reference | Value[] | Properties;
export type Properties = { [key: string]: Value };

/** A value that must not be shown. It prints as `<secret>`; read `value` to use it. */
export class Secret {
  readonly value: Value;
  constructor(value: Value) {
    this.value = value instanceof Secret ? value.value : value;
  }
  toJSON(): string {
    return '<secret>';
  }
  [inspect.custom](): string {
    return '<secret>';
  }
}

/** A value that only the real operation can tell, as seen in a preview. */
export class Unknown {
  toJSON(): string {
    return '<unknown>';
  }
  [inspect.custom](): string {
    return '<unknown>';
  }
}
export const UNKNOWN = new Unknown();

/** A resource given as a value. `id` is absent for components and unknown before creation. */
export class Reference {
  readonly urn: string;
  readonly id: Value;
  constructor(urn: string, id: Value) {
    this.urn = urn;
    this.id = id;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the value is a plain map: not a list, a secret, an unknown or a reference. */
export function isProperties(value: Value | undefined): value is Properties {
  return (
    isRecord(value) &&
    !(value instanceof Secret) &&
    !(value instanceof Unknown) &&
    !(value instanceof Reference)
  );
}

/** Wire form → value. */
export function decode(wire: unknown): Value {
  if (wire === UNKNOWN_TEXT) return UNKNOWN;
  if (Array.isArray(wire)) return wire.map(decode);
  if (!isRecord(wire)) return (wire ?? null) as Value;
  switch (wire[SIGNATURE_KEY]) {
    case SIGNATURES.secret:
      return new Secret(decode(wire.value));
    case SIGNATURES.output: {
      const value = 'value' in wire ? decode(wire.value) : UNKNOWN;
      return wire.secret === true ? new Secret(value) : value;
    }
    case SIGNATURES.reference:
      return new Reference(String(wire.urn), decode(wire.id ?? null));
  }
  return decodeProperties(wire);
}

export function decodeProperties(wire: Record<string, unknown> | undefined): Properties {
  return Object.fromEntries(Object.entries(wire ?? {}).map(([key, value]) => [key, decode(value)]));
}

type Wire = null | boolean | number | string | Wire[] | { [key: string]: Wire };

/** Value → wire form. */
export function encode(value: Value): Wire {
  if (value instanceof Secret) return { [SIGNATURE_KEY]: SIGNATURES.secret, value: encode(value.value) };
  if (value instanceof Unknown) return UNKNOWN_TEXT;
  if (value instanceof Reference) {
    const id: { [key: string]: Wire } = value.id === null ? {} : { id: encode(value.id) };
    return { [SIGNATURE_KEY]: SIGNATURES.reference, urn: value.urn, ...id };
  }
  if (Array.isArray(value)) return value.map(encode);
  return isProperties(value) ? encodeProperties(value) : value;
}

export function encodeProperties(properties: Properties): { [key: string]: Wire } {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, encode(value)]));
}

type Plain = null | boolean | number | string | Unknown | Plain[] | { [key: string]: Plain };

/** The value without marks: secrets in clear, references as ids (URN for components). Unknowns stay. */
export function reveal(value: Value): Plain {
  if (value instanceof Secret) return reveal(value.value);
  if (value instanceof Reference) return value.id === null ? value.urn : reveal(value.id);
  if (value instanceof Unknown) return value;
  if (Array.isArray(value)) return value.map(reveal);
  return isProperties(value) ? mapProperties(value, reveal) : value;
}

/** As `reveal`, with `<secret>` and `<unknown>` in place of what cannot be shown. */
export function mask(value: Value): unknown {
  if (value instanceof Secret) return '<secret>';
  if (value instanceof Unknown) return '<unknown>';
  if (value instanceof Reference) return mask(value.id === null ? value.urn : value.id);
  if (Array.isArray(value)) return value.map(mask);
  return isProperties(value) ? mapProperties(value, mask) : value;
}

function mapProperties<T>(properties: Properties, apply: (value: Value) => T): { [key: string]: T } {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, apply(value)]));
}

/** Whether a secret is anywhere in the value. */
export function containsSecret(value: Value): boolean {
  return some(value, (part) => part instanceof Secret);
}

function some(value: Value, matches: (part: Value) => boolean): boolean {
  if (matches(value)) return true;
  if (value instanceof Secret) return some(value.value, matches);
  if (Array.isArray(value)) return value.some((part) => some(part, matches));
  return isProperties(value) && Object.values(value).some((part) => some(part, matches));
}

/** Paths of all secrets, e.g. `data.password`, `list[0].token`; in the order of the properties. */
export function secretPaths(value: Value, path = ''): string[] {
  if (value instanceof Secret) return [path];
  if (Array.isArray(value)) return value.flatMap((part, index) => secretPaths(part, `${path}[${index}]`));
  if (!isProperties(value)) return [];
  return Object.entries(value).flatMap(([key, part]) => secretPaths(part, path ? `${path}.${key}` : key));
}
