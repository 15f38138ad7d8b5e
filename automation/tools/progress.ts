/**
 * How long work in `local/` says what it is doing: a short line in present tense, as often as something changes.
 * The command line decides whether and how it is shown.
 */
export type Report = (line: string) => void;
