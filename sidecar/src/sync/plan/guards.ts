/** Limits on removals in one go, on either side; above both numbers a person has to confirm. */
export interface DeletionLimits {
  readonly share: number;
  readonly count: number;
}

export const DEFAULT_LIMITS: DeletionLimits = { share: 0.5, count: 20 };

/** Removals that wait for a person. */
export interface HeldBack {
  /** Files and links; directories are not counted. */
  readonly removals: number;
  /** Both numbers, as a clause for people. */
  readonly why: string;
}

/** Pure. @returns null where the removals may go on, else what is wrong with them. */
export function deletionRefusal(removals: number, known: number, limits: DeletionLimits): string | null {
  if (removals <= limits.count || removals <= known * limits.share) return null;
  const percent = known === 0 ? 100 : Math.round((removals / known) * 100);
  return `${removals} of ${known} files (${percent} %) would be removed, more than ${limits.share * 100} %`;
}

/** Pure. As `deletionRefusal`, for files that the space is found to lack; that it lost all of two or more is no wish. */
export function massLoss(lost: number, known: number, limits: DeletionLimits): string | null {
  if (lost === known && known > 1) return `all ${known} files would be removed`;
  return deletionRefusal(lost, known, limits);
}
