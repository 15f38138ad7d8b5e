import type { FileHandle } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const READ_BYTES = 256 * 1024;
/** A reader that has taken nothing for so long is gone. */
const STALLED_MS = 60_000;

/** The bytes that a `Range` asks for: of a single one, as browsers send it. `null`: it cannot be given. */
export function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | null | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const [, first, last] = match;
  if (first === '') {
    const count = Math.min(Number(last), size);
    return count === 0 ? null : { start: size - count, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  return start >= end ? null : { start, end };
}

/**
 * Sends a file, or the part that is asked for, as it is long at this moment: what is appended later does not come. Where
 * what was sent is not what the file has at the end, it breaks off, and is not joined with its old part by a later
 * request. Closes the handle.
 */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { handle, name }: { handle: FileHandle; name: string },
): Promise<void> {
  try {
    const before = await handle.stat({ bigint: true });
    const size = Number(before.size);
    const etag = `"${before.ino.toString(36)}-${before.size.toString(36)}-${before.mtimeNs.toString(36)}"`;
    const { 'if-range': ifRange } = request.headers;
    const wanted =
      ifRange === undefined || ifRange === etag ? rangeOf(request.headers.range, size) : undefined;
    reply
      .header('content-type', 'application/octet-stream')
      .header('content-disposition', dispositionOf(name))
      // It is somebody's file and not a page of ours, whatever is in it.
      .header('content-security-policy', "default-src 'none'; sandbox; frame-ancestors 'none'")
      .header('accept-ranges', 'bytes')
      .header('etag', etag);
    if (wanted === null) {
      await reply.code(416).header('content-range', `bytes */${size}`).send();
      return;
    }
    const { start, end } = wanted ?? { start: 0, end: size };
    if (wanted) reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${size}`);
    reply.header('content-length', String(end - start));
    if (request.method === 'HEAD') {
      await reply.send();
      return;
    }
    await stream(reply, handle, { start, end }, async (sent) => {
      const { mtimeNs } = await handle.stat({ bigint: true });
      // Appended to, or written over: its length does not tell which.
      return mtimeNs === before.mtimeNs || (await checksum(handle, { start, end })) === sent;
    });
    await finished(reply.raw).catch(() => undefined);
  } finally {
    await handle.close();
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Of what a file has there now; null: it is shorter. */
async function checksum(handle: FileHandle, { start, end }: Range): Promise<number | null> {
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - start));
  let sum = 0;
  for (let at = start; at < end; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
    if (bytesRead === 0) return null;
    sum = crc32(buffer.subarray(0, bytesRead), sum);
    at += bytesRead;
  }
  return sum;
}

/** Breaks off where the reader goes away, the file got shorter, or `isWhole` says no to what was read, before its last bytes. */
async function stream(
  reply: FastifyReply,
  handle: FileHandle,
  { start, end }: Range,
  isWhole: (sum: number) => Promise<boolean>,
): Promise<void> {
  const headers = reply.getHeaders();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(reply.statusCode, headers as Record<string, string>);
  raw.on('error', () => raw.destroy());
  try {
    let sum = 0;
    for (let at = start; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      at += bytesRead;
      sum = crc32(buffer.subarray(0, bytesRead), sum);
      if (bytesRead === 0 || (at === end && !(await isWhole(sum)))) throw new Error('the file was changed');
      if (!raw.write(buffer.subarray(0, bytesRead)) && !(await drained(raw))) throw new Error('no reader');
    }
    raw.end();
  } catch {
    raw.destroy();
  }
}

/** Whether there is room again; false: the reader is gone, or as good as that. */
function drained(raw: FastifyReply['raw']): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(false), STALLED_MS);
    const onDrain = () => done(true);
    const onClose = () => done(false);
    function done(isDrained: boolean): void {
      clearTimeout(timer);
      raw.off('drain', onDrain).off('close', onClose);
      resolve(isDrained);
    }
    raw.on('drain', onDrain).on('close', onClose);
    if (raw.destroyed) done(false);
  });
}

/** A plain name for old readers, and the true one. @see https://www.rfc-editor.org/rfc/rfc6266 */
function dispositionOf(name: string): string {
  const plain = name.replace(/[^\w .()+-]/g, '_');
  const exact = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
