import type { JsonShape } from '../../stacks/fields.ts';

interface ObjectShape {
  readonly properties?: Readonly<Record<string, JsonShape>>;
  readonly propertyNames?: JsonShape;
  readonly additionalProperties?: JsonShape | false;
}

/** As an editor reads the schema; the few words that it uses. */
export function fits(shape: JsonShape, value: unknown): boolean {
  if (Array.isArray(shape.anyOf)) return shape.anyOf.some((one: JsonShape) => fits(one, value));
  if (Array.isArray(shape.enum)) return shape.enum.includes(value);
  if ('const' in shape) return shape.const === value;
  if (shape.type === 'string') {
    if (typeof value !== 'string') return false;
    const expression = shape.pattern === undefined ? undefined : new RegExp(String(shape.pattern));
    return value.length <= Number(shape.maxLength ?? Infinity) && (expression?.test(value) ?? true);
  }
  if (shape.type === 'integer' || shape.type === 'number') {
    if (typeof value !== 'number' || (shape.type === 'integer' && !Number.isInteger(value))) return false;
    return value >= Number(shape.minimum ?? -Infinity) && value <= Number(shape.maximum ?? Infinity);
  }
  if (shape.type === 'array')
    return Array.isArray(value) && value.every((item) => fits(shape.items as JsonShape, item));
  if (shape.type === 'boolean') return typeof value === 'boolean';
  if (Object.keys(shape).length === 0) return true;
  if (shape.type === 'object') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const { properties = {}, propertyNames, additionalProperties = {} } = shape as ObjectShape;
    return Object.entries(value).every(([name, part]) => {
      if (propertyNames && !fits(propertyNames, name)) return false;
      if (Object.hasOwn(properties, name)) return fits(properties[name] ?? {}, part);
      return additionalProperties !== false && fits(additionalProperties, part);
    });
  }
  throw new Error(`The schema has a shape that this test cannot read: ${JSON.stringify(shape)}`);
}

/** How Pulumi hands a YAML value over. */
export const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
