import type { FileHandle } from 'node:fs/promises';
import { JobThread } from '../../thread.ts';

export interface WriteOrder {
  readonly job: number;
  readonly descriptor: number;
  readonly bytes: Uint8Array;
  readonly at: number;
}

const thread = new JobThread<WriteOrder, null>('write-thread', import.meta.url);

/**
 * Writes all of these bytes from `at` on. Memory that is shared between threads is written by a thread of its own: small
 * writes are the cheap ones there, and a slow disk holds up nobody else.
 * @param file stays open, and the bytes unchanged, until it is done
 */
export async function writePiece(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  if (bytes.buffer instanceof SharedArrayBuffer) {
    const { job, result } = thread.begin();
    thread.order({ job, descriptor: file.fd, bytes, at });
    await result;
    return;
  }
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await file.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
  }
}
