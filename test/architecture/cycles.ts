import type { Import } from './sources.ts';

/** Groups of files that import one another in a circle, for their types alone too; each sorted. */
export function cycles(imports: readonly Import[]): string[][] {
  const next = Map.groupBy(imports, ({ file }) => file);
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const found: string[][] = [];
  // Tarjan's search for strongly connected components.
  const visit = (file: string): number => {
    const at = order.size;
    order.set(file, at);
    lowest.set(file, at);
    path.push(file);
    for (const { target } of next.get(file) ?? []) {
      if (target === undefined) continue;
      const seen = order.get(target);
      const reached = seen === undefined ? visit(target) : path.includes(target) ? seen : at;
      lowest.set(file, Math.min(lowest.get(file) ?? at, reached));
    }
    const low = lowest.get(file) ?? at;
    if (low === at) {
      const group = path.splice(path.indexOf(file));
      if (group.length > 1) found.push(group.toSorted());
    }
    return low;
  };
  for (const { file } of imports) if (!order.has(file)) visit(file);
  return found;
}
