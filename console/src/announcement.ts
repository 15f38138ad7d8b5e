import { open, rename, stat, writeFile } from 'node:fs/promises';

/** What operators tell all users, from a file that counts as soon as it is another one. */

export const MAX_ANNOUNCEMENT = 2000;

export class Announcement {
  readonly #path: string | undefined;
  #known: { readonly stamp: string; readonly text: string } | undefined;

  /** @param path absent: nothing is ever announced */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  get canChange(): boolean {
    return this.#path !== undefined;
  }

  /** @param text empty: nothing is announced. @throws Error where the file cannot be written */
  async change(text: string): Promise<void> {
    if (this.#path === undefined) throw new Error('there is no announcementFile');
    await writeFile(`${this.#path}.new`, `${text.trim()}\n`, { mode: 0o644 });
    await rename(`${this.#path}.new`, this.#path);
  }

  /** undefined: nothing is announced, or the file is not there or cannot be read. */
  async text(): Promise<string | undefined> {
    if (this.#path === undefined) return undefined;
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const stamp = `${ino} ${mtimeMs} ${size}`;
      if (this.#known?.stamp !== stamp) {
        const content = (await headOf(this.#path)).toString('utf8').trim();
        this.#known = { stamp, text: [...content].slice(0, MAX_ANNOUNCEMENT).join('') };
      }
      return this.#known.text === '' ? undefined : this.#known.text;
    } catch {
      return undefined;
    }
  }
}

/** However large it is. */
async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(4 * MAX_ANNOUNCEMENT),
      0,
      4 * MAX_ANNOUNCEMENT,
      0,
    );
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
