import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

/** More is not written for a trial; whether there is room for more is what the file system says. */
const TRIAL_BYTES = 1 << 16;

/**
 * Whether the volume takes files and folders, and has room for so many bytes.
 * @param scratch folder on the volume for temporary files
 * @throws what the file system answers; ENOSPC
 */
export function assertWritable(scratch: string, bytes: number): void {
  const at = `${scratch}/trial-${randomUUID()}`;
  mkdirSync(at);
  rmSync(at, { recursive: true });
  const descriptor = openSync(at, 'wx');
  try {
    writeSync(descriptor, Buffer.alloc(Math.min(Math.max(bytes, 1), TRIAL_BYTES), 'trial '));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
    unlinkSync(at);
  }
  const { bavail, bsize } = statfsSync(scratch);
  if (bavail * bsize < bytes)
    throw Object.assign(new Error(`ENOSPC: ${bytes} bytes do not fit on the volume`), { code: 'ENOSPC' });
}
