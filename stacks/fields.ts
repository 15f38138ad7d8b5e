import * as z from 'zod';
import { parseJson } from '../sidecar/contract/parse-json.ts';
import { amounts, wholeNumbers } from './number-patterns.ts';
import {
  DURATION_SECONDS,
  parseCpuMillis,
  parseDurationSeconds,
  parseSizeBytes,
  SIZE_UNITS,
} from './units.ts';

/**
 * The kinds of value a key of the configuration can have. Pulumi hands every value over as text (objects and lists as
 * JSON), so each kind begins with text and ends with one canonical value.
 */

/** What the reference and the error messages say of one key. */
export interface FieldNotes {
  readonly description: string;
  /** Completes "allowed: …". */
  readonly allowed: string;
  /** A value that is accepted, as one types it after `pulumi config set`. */
  readonly example: string;
  /** `user`: a stack says it; `site`: Pulumi.yaml says it for all stacks. */
  readonly group: 'user' | 'site';
  /** Shown in the reference where the default is worked out and not a fixed value. */
  readonly defaultNote?: string;
  /** What the example does cannot be taken back: no message offers it in place of a wrong value. */
  readonly isCareful?: true;
}

const notes = new Map<z.ZodType, FieldNotes>();

/** Ties notes to the last form of a field. */
export function field<T extends z.ZodType>(type: T, about: FieldNotes): T {
  const described = type.describe(about.description) as T;
  notes.set(described, about);
  return described;
}

/** @throws Error for a field of the schema that was made without `field()`. */
export function notesOf(type: z.ZodType): FieldNotes {
  const found = notes.get(type);
  if (!found)
    throw new Error('A key of the configuration has no notes: make it with field() in stacks/schema.ts.');
  return found;
}

/** What an editor may check of a key: the forms that YAML has for it. A part of JSON Schema. */
export type JsonShape = Readonly<Record<string, unknown>>;

/** Forms of the kinds below. Zod hands the entries on to what is made from a type (`optional`, `describe`, …). */
export const shapes = z.registry<{ shape: JsonShape }>();

function shaped<T extends z.ZodType>(type: T, shape: JsonShape): T {
  shapes.add(type, { shape });
  return type;
}

/** Text → `parse` → canonical value; text that `parse` does not take is an issue of this field. */
function parsed<T>(
  shape: JsonShape,
  parse: (text: string) => T | undefined,
  isAllowed: (value: T) => boolean = () => true,
) {
  const type = z.string().transform((text, context): T => {
    const value = parse(text);
    if (value === undefined || !isAllowed(value)) {
      context.addIssue({ code: 'custom', message: 'not allowed' });
      return z.NEVER;
    }
    return value;
  });
  return shaped(type, shape);
}

const between = (least: number, most: number) => (value: number) => value >= least && value <= most;

/** The part behind the point is not bounded: what an editor lets through the program refuses. */
const cpuPattern = (leastMillis: number, mostMillis: number) =>
  `^\\s*(?:${wholeNumbers(leastMillis, mostMillis)}m|${wholeNumbers(Math.floor(leastMillis / 1000), mostMillis / 1000)}(?:\\.\\d{1,3})?)\\s*$`;

/** Thousandths of a CPU. */
export const cpuMillis = (leastMillis: number, mostMillis: number) =>
  parsed(
    {
      anyOf: [
        { type: 'number', minimum: leastMillis / 1000, maximum: mostMillis / 1000 },
        { type: 'string', pattern: cpuPattern(leastMillis, mostMillis) },
      ],
    },
    parseCpuMillis,
    between(leastMillis, mostMillis),
  );

/** A Kubernetes size kept as written, since Kubernetes takes it so. */
export const size = (leastBytes: number, mostBytes: number) =>
  parsed(
    { type: 'string', pattern: amounts(SIZE_UNITS, [leastBytes, mostBytes], [9, '', '']) },
    (text) => (parseSizeBytes(text) === undefined ? undefined : text.trim()),
    (text) => between(leastBytes, mostBytes)(parseSizeBytes(text) ?? 0),
  );

/** Seconds. */
export const durationSeconds = (least: number, most: number) =>
  parsed(
    { type: 'string', pattern: amounts(DURATION_SECONDS, [least, most], [6, '\\s+', 's?']) },
    parseDurationSeconds,
    between(least, most),
  );

export const wholeNumber = (least: number, most: number) =>
  parsed(
    {
      anyOf: [
        { type: 'integer', minimum: least, maximum: most },
        { type: 'string', pattern: `^\\s*${wholeNumbers(least, most)}\\s*$` },
      ],
    },
    (text) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined),
    between(least, most),
  );

export const yesOrNo = () =>
  parsed({ enum: [true, false, 'true', 'false'] }, (text) =>
    text === 'true' ? true : text === 'false' ? false : undefined,
  );

export const pattern = (expression: RegExp, maxLength = 253) =>
  z.string().trim().max(maxLength).regex(expression);

/** Text that `isOne` knows, within the length. @param shape what an editor can check of it */
export const text = (isOne: (text: string) => boolean, shape: string, maxLength = 253) =>
  shaped(z.string().trim().min(1).max(maxLength).refine(isOne), {
    type: 'string',
    pattern: shape,
    maxLength,
  });

/** Deeper than anything that Kubernetes takes, and less than what ends the stack of whoever walks it. */
const MOST_LEVELS = 24;

/** Not too deep, and no part of it under a name that an object loses. */
function isPlain(value: unknown, levels = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0 || Object.hasOwn(value, '__proto__')) return false;
  return Object.values(value).every((part) => isPlain(part, levels - 1));
}

const parsePlain = (text: string) => {
  const value = parseJson(text);
  return isPlain(value) ? value : undefined;
};

/** A value of several parts, handed over as JSON. */
export const json = <T extends z.ZodType>(type: T) =>
  shaped(z.string().transform(parsePlain).pipe(type), {
    anyOf: [
      z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }),
      { type: 'string', pattern: '^\\s*[\\[{]' },
    ],
  });

/** The form of a field, without its notes. */
export function shapeOf(type: z.ZodType): JsonShape {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault)
    return shapeOf(type.unwrap() as z.ZodType);
  const { $schema: _, ...plain } = z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' });
  return shapes.get(type)?.shape ?? plain;
}
