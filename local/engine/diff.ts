import { EngineError } from './protocol.ts';
import { isProperties, type Properties, Reference, Secret, Unknown, type Value } from './values.ts';

export type PathStep = string | number;

/**
 * Paths at which two property maps differ, each as deep as both sides have a map or a list there.
 * An unknown differs from everything.
 */
export function changedPaths(
  before: Value | undefined,
  after: Value | undefined,
  path: readonly PathStep[] = [],
): PathStep[][] {
  const left = before instanceof Secret ? before.value : before;
  const right = after instanceof Secret ? after.value : after;
  if (left === right && !(left instanceof Unknown)) return [];
  if (left instanceof Reference && right instanceof Reference && left.urn === right.urn) return [];
  if (Array.isArray(left) && Array.isArray(right)) {
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_, index) =>
      changedPaths(left[index], right[index], [...path, index]),
    ).flat();
  }
  if (isProperties(left) && isProperties(right)) {
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...keys].sort().flatMap((key) => changedPaths(left[key], right[key], [...path, key]));
  }
  return [[...path]];
}

/** `spec.template.spec.containers[0].image`; keys with dots or slashes are quoted in brackets. */
export function formatPath(path: readonly PathStep[]): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[\w$-]+$/.test(step)) return `["${step}"]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** Reads Pulumi's property paths: `a.b[0].c`, `a["b.c"]`, `*` or `[*]` for any key or index. */
export function parsePath(text: string): PathStep[] {
  const steps: PathStep[] = [];
  const pattern = /\.?([^.[\]"]+)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (!match)
      throw new EngineError(`"${text}" is not a property path, expected e.g. spec.containers[0].image`);
    if (match[1] !== undefined) steps.push(match[1]);
    else if (match[2] !== undefined) steps.push(match[2].replaceAll(/\\(.)/g, '$1'));
    else steps.push(match[3] === '*' ? '*' : Number(match[3]));
  }
  return steps;
}

/** Whether `path` is at or below `pattern`, or above it (then the pattern's place changed as well). */
export function touches(pattern: readonly PathStep[], path: readonly PathStep[]): boolean {
  const shared = Math.min(pattern.length, path.length);
  for (let index = 0; index < shared; index++) {
    if (pattern[index] !== '*' && pattern[index] !== path[index]) return false;
  }
  return true;
}

/** `after` with the values of `before` at all places that `ignoreChanges` names. */
export function withIgnored(
  before: Properties,
  after: Properties,
  ignoreChanges: readonly string[],
): Properties {
  let result: Value = after;
  for (const text of ignoreChanges) result = keepAt(before, result, parsePath(text)) ?? {};
  return result as Properties;
}

function keepAt(
  before: Value | undefined,
  after: Value | undefined,
  path: readonly PathStep[],
): Value | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return before;
  const left = before instanceof Secret ? before.value : before;
  const right = after instanceof Secret ? after.value : after;
  let result: Value | undefined = after;
  if (isProperties(left) && isProperties(right)) {
    const keys =
      step === '*' ? new Set([...Object.keys(left), ...Object.keys(right)]) : new Set([String(step)]);
    const entries = new Map(Object.entries(right));
    for (const key of keys) {
      const kept = keepAt(left[key], right[key], rest);
      if (kept === undefined) entries.delete(key);
      else entries.set(key, kept);
    }
    result = Object.fromEntries(entries);
  } else if (Array.isArray(left) && Array.isArray(right)) {
    result = right.map((part, index) =>
      step === '*' || step === index ? (keepAt(left[index], part, rest) ?? null) : part,
    );
  }
  return after instanceof Secret && result !== undefined ? new Secret(result) : result;
}
