import type { DriftView } from '../view-types.ts';

/** Whether the cluster is as states and settings say, on demand: each comparison runs the engine, so one at a time. */

/** @throws where it could not be compared at all */
export type CompareInstance = (name: string) => Promise<Pick<DriftView, 'state' | 'text'>>;

/** What is kept of a comparison. */
const MAX_TEXT = 20_000;
const MAX_KEPT = 200;

export class Drifts {
  readonly #compare: CompareInstance;
  readonly #onNews: () => void;
  readonly #found = new Map<string, DriftView>();
  #running: string | undefined;

  constructor(compare: CompareInstance, onNews: () => void) {
    this.#compare = compare;
    this.#onNews = onNews;
  }

  /** Which one is compared now. */
  get running(): string | undefined {
    return this.#running;
  }

  of(name: string): DriftView | undefined {
    return this.#found.get(name);
  }

  /** @returns undefined: one is under way */
  begin(name: string): Promise<void> | undefined {
    if (this.#running !== undefined) return undefined;
    this.#running = name;
    return this.#run(name);
  }

  async #run(name: string): Promise<void> {
    let found: Pick<DriftView, 'state' | 'text'>;
    try {
      found = await this.#compare(name);
    } catch (error) {
      found = { state: 'not compared', text: (error as Error).message };
    }
    this.#found.delete(name);
    this.#found.set(name, {
      state: found.state,
      text: found.text.slice(0, MAX_TEXT),
      at: new Date().toISOString(),
    });
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= MAX_KEPT) break;
      this.#found.delete(oldest);
    }
    this.#running = undefined;
    this.#onNews();
  }
}
