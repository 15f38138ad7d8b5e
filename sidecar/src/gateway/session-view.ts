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

/** A link that shows the desktop, as a session holder is told of it. Times are ms since 1970. */
export interface ShareView {
  readonly id: string;
  readonly createdAt: number;
  /** Null: not before somebody ends it. */
  readonly endsAt: number | null;
  /** That are open by it. */
  readonly windows: number;
}

/** What a page that only looks is told. */
export interface WatchView {
  /** Until the link ends; null: not before somebody ends it. */
  readonly secondsLeft: number | null;
}

/** When the login of the one that asks ends. */
export interface SessionEnd {
  /** In ms since 1970; null without a session. */
  readonly endsAt: number | null;
  /** Whatever its user does; else only without a sign of the user. */
  readonly isFinal: boolean;
}
