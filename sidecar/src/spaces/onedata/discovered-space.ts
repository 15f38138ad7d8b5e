import type { ListOptions, Locator, ReadOptions, Space, SpaceCapabilities, SpaceEntry } from '../space.ts';
import { isSpaceError } from '../space-error.ts';
import { type OnedataSpaceOptions, openOnedataSpace } from './onedata-space.ts';
import { CAPABILITIES } from './space-rules.ts';

/** Which provider a space is used at. */
export interface HostChoice {
  /** The same answer each time, until `forget`. @throws SpaceError where there is none */
  host(token: () => Promise<string>, signal?: AbortSignal): Promise<string>;
  /** The provider does not support the space any more. */
  forget(): Promise<void>;
}

/** A Onedata space at the provider that is chosen when it is first used, and kept. */
export function openDiscoveredSpace(options: Omit<OnedataSpaceOptions, 'host'>, choice: HostChoice): Space {
  return new DiscoveredSpace(options, choice);
}

class DiscoveredSpace implements Space {
  /** A space is the same one at every provider. */
  readonly identity: string;
  readonly #capabilities: SpaceCapabilities;
  readonly #options: Omit<OnedataSpaceOptions, 'host'>;
  readonly #choice: HostChoice;
  #opened: { readonly host: string; readonly space: Space } | undefined;

  constructor(options: Omit<OnedataSpaceOptions, 'host'>, choice: HostChoice) {
    this.identity = `onedata:///${options.spaceId}`;
    this.#capabilities = {
      ...CAPABILITIES,
      ...(options.concurrency && { concurrency: options.concurrency }),
    };
    this.#options = options;
    this.#choice = choice;
  }

  get capabilities(): SpaceCapabilities {
    return this.#opened?.space.capabilities ?? this.#capabilities;
  }

  async #open(options: { readonly signal?: AbortSignal } = {}): Promise<Space> {
    const host = await this.#choice.host(this.#options.token, options.signal);
    if (this.#opened?.host !== host) {
      await this.#opened?.space.close();
      this.#opened = { host, space: openOnedataSpace({ ...this.#options, host }) };
    }
    return this.#opened.space;
  }

  async check(...given: Parameters<Space['check']>): Promise<void> {
    try {
      await (await this.#open(...given)).check(...given);
    } catch (error) {
      if (!isSpaceError(error, 'space-not-supported')) throw error;
      await this.#choice.forget();
      await (await this.#open(...given)).check(...given);
    }
  }

  async *list(directory: Locator, options: ListOptions = {}): AsyncIterable<SpaceEntry> {
    const repeat = options.repeat ?? ((request) => request(options));
    yield* (await repeat((inner) => this.#open(inner))).list(directory, options);
  }

  async *read(file: Locator, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    yield* (await this.#open(options)).read(file, options);
  }

  async stat(...given: Parameters<Space['stat']>) {
    return (await this.#open(given[1])).stat(...given);
  }

  async readSymlink(...given: Parameters<Space['readSymlink']>) {
    return (await this.#open(given[1])).readSymlink(...given);
  }

  async writePart(...given: Parameters<NonNullable<Space['writePart']>>) {
    await (await this.#open(given[3])).writePart?.(...given);
  }

  async copy(...given: Parameters<NonNullable<Space['copy']>>) {
    await (await this.#open(given[2])).copy?.(...given);
  }

  async write(...given: Parameters<Space['write']>) {
    return (await this.#open(given[2])).write(...given);
  }

  async makeDirectory(...given: Parameters<Space['makeDirectory']>) {
    return (await this.#open(given[1])).makeDirectory(...given);
  }

  async makeSymlink(...given: Parameters<Space['makeSymlink']>) {
    return (await this.#open(given[2])).makeSymlink(...given);
  }

  async move(...given: Parameters<Space['move']>) {
    return (await this.#open(given[2])).move(...given);
  }

  async removeFile(...given: Parameters<Space['removeFile']>) {
    return (await this.#open(given[1])).removeFile(...given);
  }

  async removeEmptyDirectory(...given: Parameters<Space['removeEmptyDirectory']>) {
    return (await this.#open(given[1])).removeEmptyDirectory(...given);
  }

  async removeTree(...given: Parameters<Space['removeTree']>) {
    return (await this.#open(given[1])).removeTree(...given);
  }

  async close(): Promise<void> {
    await this.#opened?.space.close();
  }
}
