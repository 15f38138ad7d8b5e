import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesQuantity,
  cpuQuantity,
  describeDuration,
  parseCpuMillis,
  parseDurationSeconds,
  parseSizeBytes,
} from '../../stacks/units.ts';

describe('sizes', () => {
  test.each([
    ['50Gi', 53_687_091_200],
    [' 1Mi ', 1_048_576],
    ['2Ti', 2_199_023_255_552],
    ['5G', 5_000_000_000],
  ])('%s', (text, bytes) => expect(parseSizeBytes(text)).toBe(bytes));

  test.each(['50', '1.5Gi', '50GB', '0Gi', '-5Gi', 'Gi', '', '9999999999Gi'])('refuse "%s"', (text) =>
    expect(parseSizeBytes(text)).toBeUndefined(),
  );

  test('are written in whole mebibytes', () => expect(bytesQuantity(2 ** 31 - 1)).toBe('2047Mi'));
});

describe('durations', () => {
  test.each([
    ['5 minutes', 300],
    ['1 hour', 3600],
    ['90 seconds', 90],
    ['2 days', 172_800],
  ])('%s', (text, seconds) => expect(parseDurationSeconds(text)).toBe(seconds));

  test.each(['5', '5m', '5 mins', '1.5 hours', '-1 hour', 'an hour', ''])('refuse "%s"', (text) =>
    expect(parseDurationSeconds(text)).toBeUndefined(),
  );

  test('read back as the same number of seconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999 }), (seconds) => {
        expect(parseDurationSeconds(describeDuration(seconds))).toBe(seconds);
      }),
    );
  });
});

describe('CPUs', () => {
  test.each([
    ['2', 2000],
    ['0.5', 500],
    ['1500m', 1500],
    ['0.001', 1],
  ])('%s', (text, millis) => expect(parseCpuMillis(text)).toBe(millis));

  test.each(['two', '1,5', '-1', '0.0001', '1e3', ''])('refuse "%s"', (text) =>
    expect(parseCpuMillis(text)).toBeUndefined(),
  );

  test('read back as the same number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 }), (millis) => {
        expect(parseCpuMillis(cpuQuantity(millis))).toBe(millis);
      }),
    );
  });
});
