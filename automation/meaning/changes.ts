import { isDeepStrictEqual } from 'node:util';

/** What changes, as every engine says it. Pure. */

/** Properties without secrets: those read `<secret>` or `[secret]`. */
export type Plain = { readonly [key: string]: unknown };

/** One resource before and after; a side is absent where the resource is. */
export interface ResourceChange {
  readonly type: string;
  /** Pulumi's name of it. */
  readonly name?: string;
  readonly before?: Plain;
  readonly after?: Plain;
  /** The engine has said that it makes the resource anew. */
  readonly isReplaced?: boolean;
}

/** The part of `pulumi preview --json` that is read. */
export interface EnginePreview {
  readonly steps?: readonly EngineStep[];
}

interface EngineStep {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: { readonly inputs?: Plain };
  readonly newState?: { readonly inputs?: Plain };
}

const IS_SAME = /^(same|read|refresh|discard|remove-pending-replace)$/;
const REPLACES = /replace/;
const hasBefore = ({ op, oldState }: EngineStep) => oldState !== undefined && op !== 'create';
const hasAfter = ({ op, newState }: EngineStep) => newState !== undefined && !/^delete/.test(op);

/** Of a preview of Pulumi itself, one change a resource: a replacement has several steps. */
export function changesOfPreview({ steps = [] }: EnginePreview): ResourceChange[] {
  const changing = steps.filter(({ op, urn }) => !IS_SAME.test(op) && !isBookkeeping(typeOf(urn)));
  return [...Map.groupBy(changing, ({ urn }) => urn)].map(([urn, those]) => {
    const [old, asked] = [those.find(hasBefore), those.find(hasAfter)];
    return {
      type: typeOf(urn),
      name: urn.split('::').at(-1) ?? '',
      ...(old ? { before: old.oldState?.inputs ?? {} } : {}),
      ...(asked ? { after: asked.newState?.inputs ?? {} } : {}),
      ...(those.some(({ op }) => REPLACES.test(op)) ? { isReplaced: true } : {}),
    };
  });
}

const typeOf = (urn: string) => urn.split('::')[2]?.split('$').at(-1) ?? '';

/** The stack, its components and the providers are Pulumi's own: what a provider does otherwise is said of its resources. */
const isBookkeeping = (type: string) => /^(pulumi:pulumi:Stack$|pulumi:providers:|scipion:)/.test(type);

export const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function plainAt(value: unknown, ...path: readonly string[]): Plain | undefined {
  const found = path.reduce<unknown>((at, key) => (isPlain(at) ? at[key] : undefined), value);
  return isPlain(found) ? found : undefined;
}

const isEmpty = (value: unknown) => isPlain(value) && Object.keys(value).length === 0;

/** `.spec.containers[0].image`, for each leaf that is not the same. What the engine notes of defaults is no leaf. */
export function changedPaths(before: unknown, after: unknown, path = ''): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  const isObject = (value: unknown) => isPlain(value) || value === undefined;
  const hasKeys = !(isEmpty(before ?? {}) && isEmpty(after ?? {}));
  if (isObject(before) && isObject(after) && hasKeys) {
    const [old, asked] = [(before ?? {}) as Plain, (after ?? {}) as Plain];
    const keys = [...new Set([...Object.keys(old), ...Object.keys(asked)])];
    return keys
      .filter((key) => key !== '__defaults')
      .flatMap((key) => changedPaths(old[key], asked[key], `${path}.${key}`));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return before.flatMap((part, index) => changedPaths(part, after[index], `${path}[${index}]`));
  return [path];
}
