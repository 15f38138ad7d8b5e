import { describe, expect, test } from 'vitest';
import { MRC_HEADER_BYTES, mrcFile, mrcHeader, statisticsOf } from '../mrc.ts';

const STATISTICS = { minimum: -2, maximum: 3, mean: 0.5, rms: 1.25 };

describe('MRC header', () => {
  const header = mrcHeader(
    { kind: 'volume', values: 'float32', columns: 4, rows: 3, sections: 2, pixelSize: 1.5 },
    STATISTICS,
  );

  test('is 1024 bytes, marked as MRC 2014, little-endian', () => {
    expect(header.length).toBe(MRC_HEADER_BYTES);
    expect(header.toString('latin1', 208, 212)).toBe('MAP ');
    expect([...header.subarray(212, 216)]).toEqual([0x44, 0x44, 0, 0]);
    expect(header.readInt32LE(108)).toBe(20140);
  });

  test('holds size, mode, cell in Ångström, axes and statistics at their offsets', () => {
    expect([0, 4, 8, 12].map((offset) => header.readInt32LE(offset))).toEqual([4, 3, 2, 2]);
    expect([28, 32, 36].map((offset) => header.readInt32LE(offset))).toEqual([4, 3, 2]);
    expect([40, 44, 48, 52].map((offset) => header.readFloatLE(offset))).toEqual([6, 4.5, 3, 90]);
    expect([64, 68, 72].map((offset) => header.readInt32LE(offset))).toEqual([1, 2, 3]);
    expect([76, 80, 84, 216].map((offset) => header.readFloatLE(offset))).toEqual([-2, 3, 0.5, 1.25]);
  });

  test.each([
    ['image', 1, 0, 1],
    ['stack', 8, 0, 1],
    ['volume', 8, 1, 8],
  ] as const)(
    'of a %s of %i sections has space group %i and %i sections in the cell',
    (kind, sections, group, inCell) => {
      const bytes = mrcHeader(
        { kind, values: 'int8', columns: 2, rows: 2, sections, pixelSize: 1 },
        STATISTICS,
      );
      expect(bytes.readInt32LE(88)).toBe(group);
      expect(bytes.readInt32LE(36)).toBe(inCell);
      expect(bytes.readInt32LE(12)).toBe(0);
    },
  );
});

test('statistics are those of the values', () => {
  const { minimum, maximum, mean, rms } = statisticsOf(Float32Array.of(1, 2, 3, 6));
  expect([minimum, maximum, mean]).toEqual([1, 6, 3]);
  expect(rms).toBeCloseTo(Math.sqrt(3.5), 6);
});

test('a file has its values behind the header, first row first', () => {
  const file = mrcFile(
    { kind: 'image', columns: 2, rows: 2, sections: 1, pixelSize: 1 },
    Float32Array.of(1, 2, 3, 4),
  );
  expect(file.length).toBe(MRC_HEADER_BYTES + 16);
  expect([0, 4, 8, 12].map((offset) => file.readFloatLE(MRC_HEADER_BYTES + offset))).toEqual([1, 2, 3, 4]);
});

test('values that do not fill the shape are refused', () => {
  const shape = { kind: 'image', columns: 2, rows: 2, sections: 1, pixelSize: 1 } as const;
  expect(() => mrcFile(shape, Float32Array.of(1, 2, 3))).toThrow('found 3 values, expected 4');
});
