/** A session as its user is told of it. Times are ms since 1970. */
export interface SessionView {
  /** Of the one that asks. */
  readonly isThis: boolean;
  /** What its browser calls itself. */
  readonly agent: string;
  readonly createdAt: number;
  readonly seenAt: number;
  /** When it ends whatever its user does. */
  readonly endsAt: number;
}
