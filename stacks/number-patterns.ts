/** Regular expressions for numbers as text, for editors, which know no other bounds of a text. Pure. */

const of = (digit: string, count: number) => digit.repeat(count);

/** Of two numbers with as many digits. */
function digits(least: string, most: string): string {
  const rest = least.length - 1;
  if (least === of('0', rest + 1) && most === of('9', rest + 1))
    return rest < 1 ? of('\\d', rest + 1) : `\\d{${rest + 1}}`;
  const [first, last] = [Number(least[0]), Number(most[0])];
  if (rest === 0) return first === last ? least : `[${first}-${last}]`;
  if (first === last) return `${first}${digits(least.slice(1), most.slice(1))}`;
  const hasRoom = last - first > 1;
  const between = last - first === 2 ? `${first + 1}` : `[${first + 1}-${last - 1}]`;
  const parts = [
    `${first}${digits(least.slice(1), of('9', rest))}`,
    ...(hasRoom ? [`${between}${digits(of('0', rest), of('9', rest))}`] : []),
    `${last}${digits(of('0', rest), most.slice(1))}`,
  ];
  return `(?:${parts.join('|')})`;
}

/** Whole numbers of a range, with or without zeros in front; `undefined`: there is none. */
export function wholeNumbers(least: number, most: number): string | undefined {
  const [low, high] = [Math.ceil(least), Math.floor(most)];
  if (high < low) return undefined;
  const parts: string[] = [];
  for (let length = String(low).length; length <= String(high).length; length += 1) {
    const from = Math.max(low, length === 1 ? 0 : 10 ** (length - 1));
    parts.push(digits(String(from), String(Math.min(high, 10 ** length - 1))));
  }
  return `0*(?:${parts.join('|')})`;
}

/** Amounts with a unit, of which the whole is within the range. */
export function amounts(
  units: Readonly<Record<string, number>>,
  [least, most]: readonly [number, number],
  [longest, between, ending]: readonly [digits: number, between: string, ending: string],
): string {
  const parts = Object.entries(units).flatMap(([unit, size]) => {
    const numbers = wholeNumbers(Math.max(1, least / size), Math.min(most / size, 10 ** longest - 1));
    return numbers === undefined ? [] : [`${numbers}${between}${unit}${ending}`];
  });
  return `^\\s*(?:${parts.join('|')})\\s*$`;
}
