/** What a release can do, by number: Onedata has no feature flags. */
export interface Capabilities {
  /** `attributes=` with the names of the second generation (21.02.5). */
  readonly newAttributes: boolean;
  /** `limit` up to 10000 instead of 1000 (21.02.4). */
  readonly largePages: boolean;
  /** `creationTime` (21.02.6). */
  readonly creationTime: boolean;
  /** `infer_access_token_scope` of the zone (21.02.4). */
  readonly inferScope: boolean;
}

/** Compares field by field as numbers: `21.02.10` is later than `21.02.8`. */
export function isAtLeast(version: string, other: string): boolean {
  const [left, right] = [version, other].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export function supports(version: string): Capabilities {
  return {
    newAttributes: isAtLeast(version, '21.02.5'),
    largePages: isAtLeast(version, '21.02.4'),
    creationTime: isAtLeast(version, '21.02.6'),
    inferScope: isAtLeast(version, '21.02.4'),
  };
}
