import { describe, expect, test } from 'vitest';
import { readSource, trackedFiles } from './sources.ts';

const MAX_LINES = 400;
const HAND_WRITTEN = /\.(ts|js|mjs|py|sh|go)$/;
/** Text of other machines: home folders of root, work folders. Written in parts, so that this file has none. */
const MACHINE_PATH = new RegExp(`(^|[\\s"'\`=:(])/(${['root', 'work'].join('|')})/[\\w.]`, 'm');
const BINARY = /\.(png|jpg|webp|gz|sqlite|mrc)$/;

describe('files', () => {
  test(`have at most ${MAX_LINES} lines`, () => {
    const long = trackedFiles()
      .filter((file) => HAND_WRITTEN.test(file))
      .map((file) => ({ file, lines: readSource(file).trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  test('name no path of the machine they were written on', () => {
    const offenders = trackedFiles()
      .filter((file) => !BINARY.test(file))
      .filter((file) => MACHINE_PATH.test(readSource(file)));
    expect(offenders).toEqual([]);
  });

  test('have kebab-case names', () => {
    const names = trackedFiles().filter((file) => /\.ts$/.test(file));
    expect(
      names.filter((file) => !/^([a-z0-9.-]+\/)*[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(file)),
    ).toEqual([]);
  });
});
