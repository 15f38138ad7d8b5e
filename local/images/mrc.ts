/** What an MRC file holds: one image, a stack of images (each section its own image), or a volume. */
export type MrcKind = 'image' | 'stack' | 'volume';

/** Sample value formats used here, with the mode number of the format. */
const MODES = { int8: 0, float32: 2 } as const;

export interface MrcShape {
  readonly kind: MrcKind;
  readonly values: keyof typeof MODES;
  /** Columns, rows, sections. */
  readonly columns: number;
  readonly rows: number;
  readonly sections: number;
  /** Ångström per pixel (voxel), the same along all axes. */
  readonly pixelSize: number;
}

export interface MrcStatistics {
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  readonly rms: number;
}

export const MRC_HEADER_BYTES = 1024;

/** Space group field: 0 marks images and stacks of images, 1 one volume. */
const SPACE_GROUP = { image: 0, stack: 0, volume: 1 } as const;
const VERSION_2014 = 20140;
const LITTLE_ENDIAN_STAMP = [0x44, 0x44, 0, 0] as const;

/**
 * The 1024 bytes that stand before the values (little-endian, first section first, first row first).
 *
 * @see https://www.ccpem.ac.uk/mrc_format/mrc2014.php
 */
export function mrcHeader(shape: MrcShape, statistics: MrcStatistics): Buffer {
  const { columns, rows, sections, pixelSize, kind } = shape;
  const header = Buffer.alloc(MRC_HEADER_BYTES);
  const integers = (offset: number, ...values: number[]) =>
    values.forEach((value, index) => {
      header.writeInt32LE(value, offset + 4 * index);
    });
  const floats = (offset: number, ...values: number[]) =>
    values.forEach((value, index) => {
      header.writeFloatLE(value, offset + 4 * index);
    });
  // In a stack the third axis is no distance: the cell is one section thick.
  const sectionsInCell = kind === 'volume' ? sections : 1;
  integers(0, columns, rows, sections, MODES[shape.values]);
  integers(28, columns, rows, sectionsInCell);
  floats(40, columns * pixelSize, rows * pixelSize, sectionsInCell * pixelSize, 90, 90, 90);
  integers(64, 1, 2, 3);
  floats(76, statistics.minimum, statistics.maximum, statistics.mean);
  integers(88, SPACE_GROUP[kind]);
  integers(108, VERSION_2014);
  header.write('MAP ', 208, 'latin1');
  Buffer.from(LITTLE_ENDIAN_STAMP).copy(header, 212);
  floats(216, statistics.rms);
  return header;
}

export function statisticsOf(values: Float32Array): MrcStatistics {
  let minimum = Number.POSITIVE_INFINITY;
  let maximum = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return { minimum, maximum, mean, rms: Math.sqrt(Math.max(0, squares / values.length - mean * mean)) };
}

/** Header and values of a file of 32-bit floats. `values` holds columns × rows × sections numbers. */
export function mrcFile(shape: Omit<MrcShape, 'values'>, values: Float32Array): Buffer {
  const expected = shape.columns * shape.rows * shape.sections;
  if (values.length !== expected) {
    throw new Error(`MRC data: found ${values.length} values, expected ${expected} for the given shape.`);
  }
  const data = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    data.writeFloatLE(value, index * 4);
  });
  return Buffer.concat([mrcHeader({ ...shape, values: 'float32' }, statisticsOf(values)), data]);
}
