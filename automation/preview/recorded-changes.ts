import { isDeepStrictEqual } from 'node:util';
import type { Plain, ResourceChange } from '../meaning/meaning.ts';
import type { Registration } from '../recording/index.ts';
import { mask } from '../recording/values.ts';

/** Of two recordings of one stack; what is the same is left out. */
export function changesBetween(
  before: readonly Registration[],
  after: readonly Registration[],
): ResourceChange[] {
  const plain = ({ inputs }: Registration) => mask(inputs) as Plain;
  const byUrn = (all: readonly Registration[]) =>
    new Map(all.filter(({ custom }) => custom).map((one) => [one.urn, one] as const));
  const [old, asked] = [byUrn(before), byUrn(after)];
  const urns = [...new Set([...old.keys(), ...asked.keys()])];
  return urns
    .map((urn) => ({ was: old.get(urn), is: asked.get(urn) }))
    .filter(({ was, is }) => !was || !is || !isDeepStrictEqual(plain(was), plain(is)))
    .map(({ was, is }) => ({
      type: (is ?? was)?.type ?? '',
      ...(was ? { before: plain(was) } : {}),
      ...(is ? { after: plain(is) } : {}),
    }));
}
