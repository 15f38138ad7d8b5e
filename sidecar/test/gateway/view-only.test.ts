import { describe, expect, test } from 'vitest';
import { ViewOnlyError, ViewOnlyFilter } from '../../src/gateway/view-only.ts';

const u16 = (value: number) => [value >> 8, value & 255];
const i32 = (value: number) => [...Buffer.of(value >> 24, value >> 16, value >> 8, value)];
const bytes = (count: number, value = 7) => Array<number>(count).fill(value);
const text = (value: string) => [...Buffer.from(value, 'latin1')];

const PIXELS = [32, 24, 0, 1, ...u16(255), ...u16(255), ...u16(255), 16, 8, 0, 0, 0, 0];
const SET_PIXELS = [0, 0, 0, 0, ...PIXELS];
const encodings = (list: number[]) => [2, 0, ...u16(list.length), ...list.flatMap(i32)];
const ASK = [3, 1, ...bytes(8, 0)];

const BROWSER_START = [...text('RFB 003.008\n'), 1];
/** Each with whether the desktop gets it. */
const BROWSER_MESSAGES: [string, number[], number[]][] = [
  ['pixels', SET_PIXELS, SET_PIXELS],
  ['a key', [4, 1, 0, 0, ...i32(0x61)], []],
  ['the pointer', [5, 1, ...u16(10), ...u16(20)], []],
  ['a clipboard', [6, 0, 0, 0, ...i32(5), ...text('hello')], []],
  ['an extended clipboard', [6, 0, 0, 0, ...i32(-9), ...bytes(9)], []],
  ['an empty clipboard', [6, 0, 0, 0, ...i32(0)], []],
  [
    'encodings',
    encodings([1, 7, -260, 16, 0, -224, -223, -308, -239, 0x574d5664, -0x3f5e1a32, -313, -26, -254]),
    encodings([1, 7, 0, -224, -223, -239, -313, -26, -254]),
  ],
  ['no encodings', encodings([]), encodings([])],
  ['a wish for a picture', ASK, ASK],
  ['a size', [251, 0, ...u16(1), ...u16(1), 2, 0, ...bytes(32)], []],
  ['a key of QEMU', [255, 0, ...u16(1), ...i32(0x61), ...i32(30)], []],
  ['a shutdown', [250, 0, 1, 2], []],
  ['pictures on and on', [150, 1, ...bytes(8)], [150, 1, ...bytes(8)]],
  ['a fence', [248, 0, 0, 0, ...i32(1), 3, 9, 9, 9], [248, 0, 0, 0, ...i32(1), 3, 9, 9, 9]],
];

const rectangle = (width: number, height: number, encoding: number, content: number[]) => [
  ...u16(0),
  ...u16(0),
  ...u16(width),
  ...u16(height),
  ...i32(encoding),
  ...content,
];
const picture = (...rectangles: number[][]) => [0, 0, ...u16(rectangles.length), ...rectangles.flat()];
const DESKTOP_START = [
  ...text('RFB 003.008\n'),
  ...[1, 1],
  ...i32(0),
  ...[...u16(640), ...u16(480), ...PIXELS, ...i32(4), ...text('desk')],
];
const DESKTOP_MESSAGES: [string, number[], boolean][] = [
  ['raw', picture(rectangle(3, 2, 0, bytes(24, 3))), true],
  ['a clipboard', [3, 0, 0, 0, ...i32(6), ...text('secret')], false],
  ['a copy', picture(rectangle(3, 2, 1, bytes(4, 3))), true],
  ['an extended clipboard', [3, 0, 0, 0, ...i32(-8), ...bytes(8, 3)], false],
  ['one colour', picture(rectangle(3, 2, 7, [0x80, 3, 3, 3])), true],
  ['a photograph', picture(rectangle(3, 2, 7, [0x90, 0x83, 0x01, ...bytes(131, 3)])), true],
  ['a large one', picture(rectangle(300, 200, 7, [0x90, 0x81, 0x80, 0x01, ...bytes(16_385, 3)])), true],
  ['little', picture(rectangle(3, 1, 7, [0x00, ...bytes(9, 3)])), true],
  ['compressed', picture(rectangle(30, 10, 7, [0x10, 5, ...bytes(5, 3)])), true],
  ['two colours, little', picture(rectangle(9, 2, 7, [0x40, 1, 1, ...bytes(6, 3), ...bytes(4, 3)])), true],
  ['two colours', picture(rectangle(90, 2, 7, [0x50, 1, 1, ...bytes(6, 3), 4, ...bytes(4, 3)])), true],
  ['five colours', picture(rectangle(9, 2, 7, [0x40, 1, 4, ...bytes(15, 3), 4, ...bytes(4, 3)])), true],
  ['a gradient', picture(rectangle(9, 2, 7, [0x40, 2, 4, ...bytes(4, 3)])), true],
  ['no filter', picture(rectangle(9, 2, 7, [0x40, 0, 4, ...bytes(4, 3)])), true],
  [
    'several',
    picture(rectangle(1, 1, 0, bytes(4)), rectangle(0, 0, 7, [0]), rectangle(9, 3, -239, bytes(114))),
    true,
  ],
  ['the bell', [2], true],
  ['a size', picture(rectangle(800, 600, -223, [])), true],
  [
    'as many as come',
    [0, 0, 0xff, 0xff, ...rectangle(1, 1, 1, bytes(4, 3)), ...rectangle(0, 0, -224, [])],
    true,
  ],
  ['the end of pictures', [150], true],
  ['a fence', [248, 0, 0, 0, ...i32(1), 2, 3, 3], true],
  ['colours', [1, 0, ...u16(0), ...u16(1), ...bytes(6, 3)], true],
];

/** What comes out when the bytes come in pieces of at most this size. */
function passed(filter: (piece: Buffer) => Buffer, given: number[], size: number): number[] {
  const out: number[] = [];
  for (let at = 0; at < given.length; at += size) {
    out.push(...filter(Buffer.from(given.slice(at, at + size))));
  }
  return out;
}

describe.each([1, 2, 3, 7, 64, 1_000_000])('in pieces of %i bytes', (size) => {
  test('the desktop gets what asks for pictures, and nothing that acts', () => {
    const filter = new ViewOnlyFilter();
    const toDesktop = (piece: Buffer) => filter.toDesktop(piece);
    // The wish to be alone is not passed on.
    expect(passed(toDesktop, [...BROWSER_START, 0], size)).toEqual([...BROWSER_START, 1]);
    const all = [...BROWSER_MESSAGES, ...BROWSER_MESSAGES];
    expect(
      passed(
        toDesktop,
        all.flatMap(([, message]) => message),
        size,
      ),
    ).toEqual(all.flatMap(([, , expected]) => expected));
  });

  test('the browser gets all but the clipboard', () => {
    const filter = new ViewOnlyFilter();
    const toBrowser = (piece: Buffer) => filter.toBrowser(piece);
    expect(passed(toBrowser, DESKTOP_START, size)).toEqual(DESKTOP_START);
    for (const [name, message, isPassed] of [...DESKTOP_MESSAGES, ...DESKTOP_MESSAGES]) {
      expect(passed(toBrowser, message, size), name).toEqual(isPassed ? message : []);
    }
  });
});

test.each<[string, number[]]>([
  ['an older protocol', text('RFB 003.003\n')],
  ['a password', [...text('RFB 003.008\n'), 2]],
  ['other pixels', [...BROWSER_START, 1, 0, 0, 0, 0, 16, 16, ...PIXELS.slice(2)]],
  ['a message that nobody knows', [...BROWSER_START, 1, 99]],
  ['encodings without end', [...BROWSER_START, 1, 2, 0, 0xff, 0xff]],
  ['a long fence', [...BROWSER_START, 1, 248, 0, 0, 0, ...i32(1), 65]],
])('a browser with %s is cut off', (_name, given) => {
  const filter = new ViewOnlyFilter();
  expect(() => filter.toDesktop(Buffer.from(given))).toThrow(ViewOnlyError);
});

test.each<[string, number[]]>([
  ['no security at all', [...text('RFB 003.008\n'), 0]],
  ['a refusal', [...text('RFB 003.008\n'), 1, 1, ...i32(1)]],
  ['an encoding that was not asked for', [...DESKTOP_START, ...picture(rectangle(1, 1, 16, []))]],
  ['another compression of Tight', [...DESKTOP_START, ...picture(rectangle(1, 1, 7, [0xa0]))]],
  ['a message that nobody knows', [...DESKTOP_START, 99]],
])('a desktop with %s is cut off', (_name, given) => {
  const filter = new ViewOnlyFilter();
  expect(() => filter.toBrowser(Buffer.from(given))).toThrow(ViewOnlyError);
});
