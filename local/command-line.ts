import { InvalidArgumentError } from 'commander';

/** What the command lines of this folder share. */

/** Gathers options of the form `KEY=VALUE`. @param example of one, for whoever forgets the sign */
export const parsePair =
  (example: string) =>
  (text: string, earlier: Record<string, string> = {}): Record<string, string> => {
    const at = text.indexOf('=');
    if (at <= 0) throw new InvalidArgumentError(`expected KEY=VALUE, e.g. ${example}.`);
    return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
  };

/** Mistakes of this program are worth their stack; everything else is worded for the person who reads it. */
export function isBug(error: Error): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}
