/**
 * Patterns for paths of a space: `*` within a name, `?` for one character, `**` over directories, `[0-9]` and `[^0-9]`,
 * `{a,b}`; a `\` takes the meaning of what follows it, and all else is as it is, round brackets too. Matching goes back
 * to the last star only, so that no pattern and no name makes it slow.
 */

/** What one element of a name's pattern takes: a text, any one character, one of a set, any number of characters. */
type Element = string | typeof ANY | typeof STAR | CharacterSet;
type Name = readonly Element[];
type Segment = Name | typeof FOLDERS;

const ANY = Symbol('?');
const STAR = Symbol('*');
/** Any number of directories. */
const FOLDERS = Symbol('**');
const SLASH = Symbol('/');
/** Two stars, which are for directories where they are a name by themselves, or begin the only one: `**.mrc`. */
const STARS = Symbol('**');

class CharacterSet {
  readonly isNegated: boolean;
  readonly ranges: readonly (readonly [from: number, to: number])[];
  /** As it is written, where a name that is written so was meant, too: `raw[1]`. */
  readonly text: string | undefined;

  constructor(isNegated: boolean, ranges: CharacterSet['ranges'], text?: string) {
    this.isNegated = isNegated;
    this.ranges = ranges;
    this.text = text;
  }

  has(character: number): boolean {
    return this.isNegated !== this.ranges.some(([from, to]) => character >= from && character <= to);
  }
}

type Token = Element | typeof SLASH | typeof STARS;

class Malformed extends Error {}

/** Combinations of a pattern's braces: each is matched by itself. */
const MOST_ALTERNATIVES = 256;

const codeOf = (character: string | undefined) => character?.codePointAt(0) ?? 0;

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #brackets = 0;

  constructor(pattern: string) {
    this.#characters = [...pattern];
  }

  whole(): Token[][] {
    const all = this.#sequence(false);
    if (this.#at < this.#characters.length) throw new Malformed();
    return all;
  }

  #sequence(isInside: boolean): Token[][] {
    let all: Token[][] = [[]];
    for (;;) {
      const character = this.#characters[this.#at];
      if (character === undefined || (isInside && (character === ',' || character === '}'))) return all;
      const next: Token[][] = character === '{' ? this.#braces() : [[this.#token(character)]];
      if (all.length * next.length > MOST_ALTERNATIVES) throw new Malformed();
      all = next.length === 1 ? append(all, next[0] ?? []) : all.flatMap((one) => append([one], ...next));
    }
  }

  #token(character: string): Token {
    this.#at += 1;
    const next = this.#characters[this.#at];
    const before = this.#characters[this.#at - 2];
    if (character === '*') return this.#stars();
    if (character === '?') return ANY;
    if (character === '/') return SLASH;
    if (character === '[') return this.#set();
    // Alternatives and look-arounds of other languages would be names that nothing has.
    if (character === '(') {
      this.#brackets += 1;
      if (next === '?' || before === '@' || before === '!') throw new Malformed();
    }
    if (character === ')') this.#brackets = Math.max(0, this.#brackets - 1);
    if ((character === '|' && this.#brackets > 0) || character === '}' || character === ']')
      throw new Malformed();
    return character === '\\' ? this.#escaped() : character;
  }

  #escaped(): string {
    const character = this.#characters[this.#at];
    if (character === undefined || character === '/') throw new Malformed();
    this.#at += 1;
    return character;
  }

  #stars(): typeof STAR | typeof STARS {
    const start = this.#at;
    while (this.#characters[this.#at] === '*') this.#at += 1;
    return this.#at === start ? STAR : STARS;
  }

  #set(): CharacterSet {
    const start = this.#at;
    // A shell negates by it, and this program did not: whoever wrote it says which by `^` or `\\!`.
    if (this.#characters[this.#at] === '!') throw new Malformed();
    const isNegated = this.#characters[this.#at] === '^';
    if (isNegated) this.#at += 1;
    const ranges: [number, number][] = [];
    while (this.#characters[this.#at] !== ']') {
      const from = this.#member();
      const isRange = this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']';
      if (isRange) this.#at += 1;
      const to = isRange ? this.#member() : from;
      if (to < from) throw new Malformed();
      ranges.push([from, to]);
    }
    if (ranges.length === 0) throw new Malformed();
    const text = this.#characters.slice(start, this.#at).join('');
    this.#at += 1;
    return new CharacterSet(isNegated, ranges, /[-*+?.^${}(|)[\]\\]/.test(text) ? undefined : `[${text}]`);
  }

  #member(): number {
    const character = this.#characters[this.#at];
    if (character === undefined || character === '/') throw new Malformed();
    this.#at += 1;
    return codeOf(character === '\\' ? this.#escaped() : character);
  }

  #braces(): Token[][] {
    this.#at += 1;
    const start = this.#at;
    const all: Token[][] = [];
    let count = 0;
    for (;;) {
      all.push(...this.#sequence(true));
      if (all.length > MOST_ALTERNATIVES) throw new Malformed();
      count += 1;
      const end = this.#characters[this.#at];
      this.#at += 1;
      if (end === undefined) throw new Malformed();
      if (end === '}') break;
    }
    if (count > 1) return all;
    const inside = this.#characters.slice(start, this.#at - 1);
    if (!inside.join('').includes('..')) return all.map((one) => ['{', ...one, '}']);
    const [from, , , to, ...more] = inside;
    if (inside.length !== 4 || more.length > 0 || codeOf(to) < codeOf(from)) throw new Malformed();
    return [[new CharacterSet(false, [[codeOf(from), codeOf(to)]])]];
  }
}

function append(all: readonly Token[][], ...endings: readonly Token[][]): Token[][] {
  return all.flatMap((one) => endings.map((ending) => [...one, ...ending]));
}

/** Texts that follow each other are one. */
function joined(elements: readonly Element[]): Element[] {
  const out: Element[] = [];
  for (const element of elements) {
    const last = out.at(-1);
    if (typeof element === 'string' && typeof last === 'string') out[out.length - 1] = last + element;
    else if (element !== STAR || last !== STAR) out.push(element);
  }
  return out;
}

function segmentsOf(tokens: readonly Token[]): Segment[] {
  const names: (Element | typeof STARS)[][] = [[]];
  for (const token of tokens) {
    if (token === SLASH) names.push([]);
    else names.at(-1)?.push(token);
  }
  const segments = names.flatMap((name): Segment[] => {
    if (name.length === 0) throw new Malformed();
    const plain = joined(name.map((element) => (element === STARS ? STAR : element)));
    if (plain.length === 1 && (plain[0] === '.' || plain[0] === '..')) throw new Malformed();
    if (name[0] !== STARS) return [plain];
    if (plain.length === 1) return [FOLDERS];
    return names.length === 1 ? [FOLDERS, plain] : [plain];
  });
  // `raw-*/**` is what is in such directories, and no file beside them that has such a name.
  const [before, last] = segments.slice(-2);
  const isBelow = last === FOLDERS && before !== undefined && before !== FOLDERS && before.at(-1) === STAR;
  return isBelow ? [...segments, [STAR]] : segments;
}

/** Length of what an element takes at a place; -1: it does not fit there. */
function lengthAt(element: Element | undefined, name: string, at: number): number {
  if (typeof element === 'string') return name.startsWith(element, at) ? element.length : -1;
  const character = name.codePointAt(at) ?? 0;
  const isOne = element === ANY || (element instanceof CharacterSet && element.has(character));
  return isOne ? (character > 0xffff ? 2 : 1) : -1;
}

function fits(pattern: Name, name: string): boolean {
  let [element, at, star, from] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[element] === STAR) {
      [star, from] = [element, at];
      element += 1;
      continue;
    }
    const length = lengthAt(pattern[element], name, at);
    if (length >= 0) {
      element += 1;
      at += length;
    } else if (star < 0) return false;
    else {
      from += 1;
      [element, at] = [star + 1, from];
    }
  }
  if (pattern[element] === STAR) element += 1;
  return element === pattern.length;
}

/** The same again, of names and directories. */
function fitsPath(segments: readonly Segment[], names: readonly string[], count: number): boolean {
  let [segment, at, folders, from] = [0, 0, -1, 0];
  while (at < count) {
    const pattern = segments[segment];
    if (pattern === FOLDERS) {
      [folders, from] = [segment, at];
      segment += 1;
    } else if (pattern !== undefined && fits(pattern, names[at] ?? '')) {
      segment += 1;
      at += 1;
    } else if (folders < 0) return false;
    else {
      from += 1;
      [segment, at] = [folders + 1, from];
    }
  }
  while (segments[segment] === FOLDERS) segment += 1;
  return segment === segments.length;
}

const isLiteral = (segment: Segment): segment is readonly [string] =>
  segment !== FOLDERS && segment.length === 1 && typeof segment[0] === 'string';

function baseOf(segments: readonly Segment[]): string {
  const end = segments.findIndex((segment) => !isLiteral(segment));
  const literal = segments.slice(0, end < 0 ? segments.length : end).filter(isLiteral);
  return literal.map(([text]) => text).join('/');
}

export class Glob {
  /** Directories before the first wildcard, of each alternative: on the way there nothing is left out. */
  readonly bases: readonly string[];
  /** Whether all that there is matches. */
  readonly isEverything: boolean;
  readonly #alternatives: readonly (readonly Segment[])[];

  private constructor(alternatives: readonly (readonly Segment[])[]) {
    this.#alternatives = alternatives;
    this.bases = alternatives.map(baseOf);
    this.isEverything = alternatives.some((segments) => {
      const names = segments.filter((segment): segment is Name => segment !== FOLDERS);
      return names.length === 0 || (names.length === 1 && names[0]?.length === 1 && names[0][0] === STAR);
    });
  }

  /** `undefined` for what is not closed, leads out of the space or could match nothing. */
  static parse(pattern: string): Glob | undefined {
    const inside = pattern.replace(/^\/+|\/+$/g, '');
    if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(inside) || /^[\s!]|(?<!\\)\s$/.test(inside)) return undefined;
    try {
      const all = new Parser(inside).whole();
      const isNamed = (token: Token) => token instanceof CharacterSet && token.text !== undefined;
      const asNamed = all
        .filter((tokens) => tokens.some(isNamed))
        .map((tokens) =>
          tokens.map((token) => (token instanceof CharacterSet ? (token.text ?? token) : token)),
        );
      return new Glob([...all, ...asNamed].map(segmentsOf));
    } catch (error) {
      if (error instanceof Malformed) return undefined;
      throw error;
    }
  }

  /** @param names of the path; the first `count` of them are looked at */
  matches(names: readonly string[], count = names.length): boolean {
    return this.#alternatives.some((segments) => fitsPath(segments, names, count));
  }
}
