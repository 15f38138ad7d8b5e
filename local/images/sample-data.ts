import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MRC_HEADER_BYTES, mrcFile, mrcHeader } from './mrc.ts';
import { type Random, seededRandom } from './random.ts';

/** Ångström per pixel of everything here, as of a 300 kV microscope at 47 000 ×. */
export const SAMPLE_PIXEL_SIZE = 1.77;

const MICROGRAPHS = { count: 6, size: 512, particles: 12, radius: 14, contrast: 3 } as const;
const MOVIES = { count: 3, frames: 8, size: 256, electronsPerPixel: 5 } as const;
const PARTICLES = { count: 50, size: 64, contrast: 4 } as const;
const VOLUME = { size: 64 } as const;
/** Half axes of the particle, in pixels: long enough to see how it lies. */
const PARTICLE_AXES = { x: 14, y: 9, z: 7 } as const;

const LARGE_FRAME_SIDE = 1024;

export interface SampleDataOptions {
  /** Additional movies so large that copying them takes a while. `sizeBytes` is rounded down to whole frames of 1 MiB. */
  readonly largeFiles?: { readonly count: number; readonly sizeBytes: number };
  /** Other seeds give other noise. */
  readonly seed?: number;
}

/**
 * Writes source data that Scipion imports into `directory`, which is made where it is missing: micrographs, movies,
 * a particle stack, a volume; about 16 MB. The same seed gives the same bytes.
 *
 * @returns the files, relative to `directory`, in the order of writing
 */
export async function writeSampleData(directory: string, options: SampleDataOptions = {}): Promise<string[]> {
  const random = seededRandom(options.seed ?? 1);
  const written: string[] = [];
  const write = async (name: string, bytes: Buffer) => {
    await writeFile(join(directory, name), bytes);
    written.push(name);
  };
  for (const folder of ['micrographs', 'movies', 'particles']) {
    await mkdir(join(directory, folder), { recursive: true });
  }
  for (let number = 1; number <= MICROGRAPHS.count; number += 1) {
    await write(`micrographs/mic_${threeDigits(number)}.mrc`, micrograph(random));
  }
  for (let number = 1; number <= MOVIES.count; number += 1) {
    await write(`movies/movie_${threeDigits(number)}.mrcs`, movie(random));
  }
  await write('particles/particles.mrcs', particleStack(random));
  await write('volume.mrc', volume());
  const { count = 0, sizeBytes = 0 } = options.largeFiles ?? {};
  for (let number = 1; number <= count; number += 1) {
    const name = `movies/large_${threeDigits(number)}.mrcs`;
    await writeLargeMovie(join(directory, name), sizeBytes, Math.floor(random.uniform() * 2 ** 32));
    written.push(name);
  }
  return written;
}

/** Noise with dark round particles, as protein in ice looks. */
function micrograph(random: Random): Buffer {
  const { size, particles, radius, contrast } = MICROGRAPHS;
  const values = Float32Array.from({ length: size * size }, () => random.normal());
  const reach = 4 * radius;
  for (let particle = 0; particle < particles; particle += 1) {
    const centre = { x: between(random, reach, size - reach), y: between(random, reach, size - reach) };
    for (let y = centre.y - reach; y < centre.y + reach; y += 1) {
      for (let x = centre.x - reach; x < centre.x + reach; x += 1) {
        const distance = ((x - centre.x) ** 2 + (y - centre.y) ** 2) / (2 * radius ** 2);
        values[y * size + x] = (values[y * size + x] ?? 0) - contrast * Math.exp(-distance);
      }
    }
  }
  return mrcFile(
    { kind: 'image', columns: size, rows: size, sections: 1, pixelSize: SAMPLE_PIXEL_SIZE },
    values,
  );
}

/** Frames of counted electrons. */
function movie(random: Random): Buffer {
  const { frames, size, electronsPerPixel } = MOVIES;
  const values = Float32Array.from({ length: frames * size * size }, () => random.poisson(electronsPerPixel));
  const shape = { columns: size, rows: size, sections: frames, pixelSize: SAMPLE_PIXEL_SIZE };
  return mrcFile({ kind: 'stack', ...shape }, values);
}

/** The particle seen along z, turned a little further in each image. */
function particleStack(random: Random): Buffer {
  const { count, size, contrast } = PARTICLES;
  const values = new Float32Array(count * size * size);
  for (let image = 0; image < count; image += 1) {
    const angle = (Math.PI * image) / count;
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) {
        const x = column - size / 2;
        const y = row - size / 2;
        const along = (x * Math.cos(angle) + y * Math.sin(angle)) / PARTICLE_AXES.x;
        const across = (y * Math.cos(angle) - x * Math.sin(angle)) / PARTICLE_AXES.z;
        values[(image * size + row) * size + column] =
          random.normal() - contrast * Math.exp(-(along ** 2 + across ** 2));
      }
    }
  }
  const shape = { columns: size, rows: size, sections: count, pixelSize: SAMPLE_PIXEL_SIZE };
  return mrcFile({ kind: 'stack', ...shape }, values);
}

/** The particle itself: a smooth ellipsoid. */
function volume(): Buffer {
  const { size } = VOLUME;
  const values = Float32Array.from({ length: size ** 3 }, (_, index) => {
    const x = (index % size) - size / 2;
    const y = (Math.floor(index / size) % size) - size / 2;
    const z = Math.floor(index / size ** 2) - size / 2;
    return Math.exp(-((x / PARTICLE_AXES.x) ** 2 + (y / PARTICLE_AXES.y) ** 2 + (z / PARTICLE_AXES.z) ** 2));
  });
  const shape = { columns: size, rows: size, sections: size, pixelSize: SAMPLE_PIXEL_SIZE };
  return mrcFile({ kind: 'volume', ...shape }, values);
}

/** A valid stack of 8-bit noise that no compression makes smaller; frame by frame, so memory stays small. */
async function writeLargeMovie(path: string, sizeBytes: number, seed: number): Promise<void> {
  const frameBytes = LARGE_FRAME_SIDE ** 2;
  const frames = Math.max(1, Math.floor((sizeBytes - MRC_HEADER_BYTES) / frameBytes));
  const shape = {
    columns: LARGE_FRAME_SIDE,
    rows: LARGE_FRAME_SIDE,
    sections: frames,
    pixelSize: SAMPLE_PIXEL_SIZE,
  };
  // Even chances for each of -128 … 127.
  const statistics = { minimum: -128, maximum: 127, mean: -0.5, rms: Math.sqrt((256 ** 2 - 1) / 12) };
  const content = function* () {
    yield mrcHeader({ kind: 'stack', values: 'int8', ...shape }, statistics);
    let state = seed | 1;
    for (let frame = 0; frame < frames; frame += 1) {
      const words = new Int32Array(frameBytes / 4);
      for (let index = 0; index < words.length; index += 1) {
        // xorshift32 (Marsaglia 2003): a memory's speed is enough for gigabytes.
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        words[index] = state;
      }
      yield Buffer.from(words.buffer);
    }
  };
  await pipeline(content, createWriteStream(path));
}

/** A whole number, from ≤ value < to. */
function between(random: Random, from: number, to: number): number {
  return from + Math.floor(random.uniform() * (to - from));
}

function threeDigits(number: number): string {
  return String(number).padStart(3, '0');
}
