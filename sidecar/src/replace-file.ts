import { renameSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';

/** A crash leaves the content before or the new one, never a part. One writer at a time. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  await fs.writeFile(temporary, text, { flush: true });
  await fs.rename(temporary, file);
}

/** As `replaceFile`, for what only this user may read, where nothing may happen meanwhile. */
export function replaceFileSync(file: string, text: string): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  renameSync(temporary, file);
}
