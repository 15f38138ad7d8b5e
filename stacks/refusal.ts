import type { Settings } from './schema.ts';

/** A rule between keys that does not hold, under the key that is easiest to change. */
export type Refusal =
  | {
      readonly key: keyof Settings;
      readonly allowed: string;
      /** A value that holds to it, where one can be named. */
      readonly better?: string;
    }
  /** The value has no effect beside another, or the opposite of what it says. */
  | { readonly key: keyof Settings; readonly useless: string };

export type Rule = Refusal & { readonly isBroken: boolean };
