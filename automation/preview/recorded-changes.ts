import { isDeepStrictEqual } from 'node:util';
import { isPlain, type Plain, plainAt, type ResourceChange } from '../meaning/changes.ts';
import type { Registration } from '../recording/index.ts';
import { mask } from '../recording/values.ts';

/** Of two recordings of one stack; what is the same is left out, and so is what the engine leaves as it was. */
export function changesBetween(
  before: readonly Registration[],
  after: readonly Registration[],
): ResourceChange[] {
  const plain = ({ inputs }: Registration) => mask(inputs) as Plain;
  const byUrn = (all: readonly Registration[]) =>
    new Map(all.filter(({ custom }) => custom).map((one) => [one.urn, one] as const));
  const [old, asked] = [byUrn(before), byUrn(after)];
  return [...new Set([...old.keys(), ...asked.keys()])].flatMap((urn) => {
    const [was, is] = [old.get(urn), asked.get(urn)];
    const [from, to] = [was && plain(was), is && plain(is)];
    const kept = is && from && to ? is.options.ignoreChanges.reduce(withValueOf(from), to) : to;
    if (from && kept && isDeepStrictEqual(from, kept)) return [];
    const { type = '', name = '' } = is ?? was ?? {};
    return [{ type, name, ...(from ? { before: from } : {}), ...(kept ? { after: kept } : {}) }];
  });
}

/** `to`, with what `from` has at the path. */
const withValueOf = (from: Plain) => (to: Plain, path: string) => withValue(to, path.split('.'), from);

function withValue(to: Plain, [key = '', ...rest]: readonly string[], from: Plain): Plain {
  const { [key]: own, ...others } = to;
  const old = from[key];
  if (rest.length === 0) return old === undefined ? others : { ...others, [key]: old };
  return isPlain(own) ? { ...to, [key]: withValue(own, rest, plainAt(old) ?? {}) } : to;
}
