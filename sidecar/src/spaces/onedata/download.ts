import { type Locator, type ReadOptions, SpaceError } from '../space.ts';
import { headerOf, isSuccess } from './http-client.ts';
import type { ProviderClient } from './provider-client.ts';
import { isADirectory, missing } from './space-rules.ts';

/** null: nothing is there. */
export type SizeOf = () => Promise<number | null>;

/** The bytes that were asked for, or an error. `sizeOf` is asked only where no byte answers the range. */
export async function* download(
  provider: ProviderClient,
  file: Locator,
  options: ReadOptions,
  sizeOf: SizeOf,
): AsyncGenerator<Uint8Array> {
  options.signal?.throwIfAborted();
  const offset = options.offset ?? 0;
  if (options.length === 0) return await assertOffset(file.path, offset, sizeOf);
  const last = options.length === undefined ? '' : String(offset + options.length - 1);
  const range = offset === 0 && last === '' ? undefined : `bytes=${offset}-${last}`;
  const { http } = provider;
  const { request, answer: pending } = provider.content(file, range, options.signal);
  const answer = await pending;
  if (answer.status === 416) {
    await http.text(request, answer);
    // ⚠ Any range of an empty file is 416 too, so the offset decides.
    const told = /^bytes \*\/(\d+)$/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
    return await assertOffset(file.path, offset, told === undefined ? sizeOf : async () => Number(told));
  }
  if (answer.status === 302 && /\/download\//.test(headerOf(answer, 'location') ?? '')) {
    await http.text(request, answer);
    throw isADirectory(file.path);
  }
  if (!isSuccess(answer)) throw await http.failure(request, answer);
  const start = /^bytes (\d+)-/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
  const broken = (text: string) =>
    new SpaceError('transfer-broken', `${file.path}: ${text}`, { path: file.path });
  if (range !== undefined && Number(start) !== offset) {
    answer.drop();
    if (answer.status === 200) {
      throw new SpaceError('unsupported', `${file.path}: ${http.host} answers with whole files only`, {
        path: file.path,
      });
    }
    throw broken(`asked from byte ${offset}, got from ${start ?? 0}`);
  }
  const length = Number(headerOf(answer, 'content-length') ?? Number.NaN);
  let received = 0;
  for await (const chunk of http.bytes(request, answer)) {
    received += chunk.byteLength;
    yield chunk;
  }
  // ⚠ After its headers the server cannot report an error any more: the body comes short.
  const expected = Number.isNaN(length) ? await lengthOf(options, sizeOf) : length;
  if (expected !== null && received < expected) throw broken(`${received} of ${expected} bytes came`);
  if (!Number.isNaN(length) && received > length)
    throw broken(`${received} bytes came, ${length} were announced`);
}

/** Of an answer that does not say it, e.g. through a proxy that repacks; null: the file is gone by now. */
async function lengthOf({ offset = 0, length }: ReadOptions, sizeOf: SizeOf): Promise<number | null> {
  const size = await sizeOf();
  return size === null ? null : Math.min(Math.max(0, size - offset), length ?? Number.POSITIVE_INFINITY);
}

/** @throws bad-range where the file is shorter than the offset. */
async function assertOffset(path: string, offset: number, sizeOf: SizeOf): Promise<void> {
  const size = await sizeOf();
  if (size === null) throw missing(path);
  if (offset > size) {
    throw new SpaceError('bad-range', `${path}: offset ${offset} is beyond its ${size} bytes`, { path });
  }
}
