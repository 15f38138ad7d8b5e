import { type Attributes, type FileAttributes, isOdd, type OddAttributes } from './attributes.ts';

export interface ChildrenOfPage {
  readonly entries: readonly FileAttributes[];
  readonly odd: readonly OddAttributes[];
  readonly names: ReadonlySet<string>;
}

/**
 * Pure. What one page of a listing says that can be right. Two entries of one name, or two names of one entry, cannot: it
 * is not known which of them is meant.
 * @param around ids of the directory and of the root, neither of which lies in it
 * @param before names of the page before, which were told already
 */
export function ofPage(
  page: readonly Attributes[],
  { around, before }: { readonly around: ReadonlySet<string>; readonly before: ReadonlySet<string> },
): ChildrenOfPage {
  const nameless: OddAttributes[] = [];
  const byName = new Map<string, Attributes>();
  for (const child of page) {
    const { name } = child;
    if (name === null) nameless.push(child as OddAttributes);
    else byName.set(name, merged(byName.get(name), child));
  }
  const namesOfId = new Map<string, number>();
  for (const child of byName.values())
    if (!isOdd(child)) namesOfId.set(child.id, (namesOfId.get(child.id) ?? 0) + 1);
  const entries: FileAttributes[] = [];
  const odd = [...nameless];
  for (const child of byName.values()) {
    if (child.name !== null && before.has(child.name)) continue;
    const why = isOdd(child) ? child.why : whyNot(child, around, namesOfId);
    if (why === null) entries.push(child as FileAttributes);
    else odd.push({ name: child.name, why });
  }
  return { entries, odd, names: new Set(byName.keys()) };
}

function merged(first: Attributes | undefined, again: Attributes): Attributes {
  if (first === undefined || isOdd(first)) return first ?? again;
  const isSame = !isOdd(again) && again.id === first.id && again.type === first.type;
  return isSame ? first : { name: first.name, why: 'it is listed twice, as different things' };
}

function whyNot(
  { id }: FileAttributes,
  around: ReadonlySet<string>,
  namesOfId: ReadonlyMap<string, number>,
): string | null {
  if (around.has(id)) return 'it is listed as a part of itself';
  return namesOfId.get(id) === 1 ? null : 'its id is that of another entry of the same folder';
}
