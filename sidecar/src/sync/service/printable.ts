/** What steers a terminal, ends a line, turns the direction of text, or is half a character. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/** Names of files, and arguments, may hold anything: as one line that only says what they hold. */
export function printable(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const [HEAD, TAIL] = [1_500, 500];

/** As `printable`, of at most a few lines on a screen: its beginning and its end. */
export function sentence(text: string): string {
  const isLong = text.length > HEAD + TAIL;
  return printable(isLong ? `${text.slice(0, HEAD)}…${text.slice(-TAIL)}` : text);
}
