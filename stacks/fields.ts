import * as z from 'zod';
import { parseCpuMillis, parseDurationSeconds, parseSizeBytes } from './units.ts';

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

/** Text → `parse` → canonical value; text that `parse` does not take is an issue of this field. */
function parsed<T>(parse: (text: string) => T | undefined, isAllowed: (value: T) => boolean = () => true) {
  return z.string().transform((text, context): T => {
    const value = parse(text);
    if (value === undefined || !isAllowed(value)) {
      context.addIssue({ code: 'custom', message: 'not allowed' });
      return z.NEVER;
    }
    return value;
  });
}

const between = (least: number, most: number) => (value: number) => value >= least && value <= most;

/** Thousandths of a CPU. */
export const cpuMillis = (leastMillis: number, mostMillis: number) =>
  parsed(parseCpuMillis, between(leastMillis, mostMillis));

/** A Kubernetes size kept as written, since Kubernetes takes it so. */
export const size = (leastBytes: number) =>
  parsed(
    (text) => (parseSizeBytes(text) === undefined ? undefined : text.trim()),
    (text) => (parseSizeBytes(text) ?? 0) >= leastBytes,
  );

/** Seconds. */
export const durationSeconds = (least: number, most: number) =>
  parsed(parseDurationSeconds, between(least, most));

export const wholeNumber = (least: number, most: number) =>
  parsed((text) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined), between(least, most));

export const yesOrNo = () =>
  parsed((text) => (text === 'true' ? true : text === 'false' ? false : undefined));

export const pattern = (expression: RegExp, maxLength = 253) =>
  z.string().trim().max(maxLength).regex(expression);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A value of several parts, handed over as JSON. */
export const json = <T extends z.ZodType>(type: T) => z.string().transform(parseJson).pipe(type);
