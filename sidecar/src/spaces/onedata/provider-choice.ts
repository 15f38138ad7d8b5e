import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { isSpaceError } from '../space-error.ts';
import type { HostChoice } from './discovered-space.ts';
import { type ChoiceOptions, chooseProvider } from './providers.ts';

const rememberedSchema = z.object({ spaceId: z.string(), host: z.string().min(1) });

export interface ProviderChoiceOptions extends Pick<ChoiceOptions, 'spaceId' | 'use' | 'zoneHost'> {
  /** Where the choice is kept over restarts: on the volume of the space. */
  readonly file: string;
  readonly certificateAuthorities?: string;
}

/**
 * The provider of a space whose host the stack does not name. What is written stays at one provider: another one may
 * show an older state of it. What is only read goes to another one where its own is gone.
 */
export class ProviderChoice implements HostChoice {
  readonly #options: ProviderChoiceOptions;
  #host: string | undefined;

  constructor(options: ProviderChoiceOptions) {
    this.#options = options;
  }

  async host(token: () => Promise<string>, signal?: AbortSignal): Promise<string> {
    this.#host ??= await this.#choose(token, signal);
    return this.#host;
  }

  async forget(): Promise<void> {
    this.#host = undefined;
    await this.#remember('');
  }

  async #choose(token: () => Promise<string>, signal: AbortSignal | undefined): Promise<string> {
    const { file: _, ...options } = this.#options;
    const known = await this.#remembered();
    if (known !== undefined && options.use === 'write') return known;
    try {
      const { host } = await chooseProvider({
        ...options,
        token,
        ...(known === undefined ? {} : { preferredHost: known }),
        ...(signal === undefined ? {} : { signal }),
      });
      if (host !== known) await this.#remember(host);
      return host;
    } catch (error) {
      if (known !== undefined && isSpaceError(error, 'unreachable')) return known;
      throw error;
    }
  }

  async #remembered(): Promise<string | undefined> {
    try {
      const found = rememberedSchema.safeParse(JSON.parse(await readFile(this.#options.file, 'utf8'))).data;
      return found?.spaceId === this.#options.spaceId ? found.host : undefined;
    } catch {
      // Not chosen yet, or not readable: chosen anew.
      return undefined;
    }
  }

  async #remember(host: string): Promise<void> {
    const text = `${JSON.stringify({ spaceId: this.#options.spaceId, host })}\n`;
    // A volume that is not there is waited for elsewhere; until then the choice is kept in memory.
    await writeFile(this.#options.file, text).catch(() => undefined);
  }
}
