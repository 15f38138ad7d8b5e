import { renameUrn } from './graph.ts';
import type { ResourceState, StackState } from './state.ts';
import type { Properties } from './values.ts';

/**
 * The stack's resources while they change. Every change is written before the next step depends on it, so that a stop at
 * any moment leaves a state that tells what exists and what was under way.
 */
export class Ledger {
  readonly #project: string;
  readonly #stack: string;
  readonly #write: (state: StackState) => Promise<void>;
  #resources: ResourceState[];
  outputs: Properties;

  constructor(state: StackState, write: (state: StackState) => Promise<void>) {
    this.#project = state.project;
    this.#stack = state.stack;
    this.#resources = [...state.resources];
    this.outputs = state.outputs;
    this.#write = write;
  }

  get resources(): readonly ResourceState[] {
    return this.#resources;
  }

  /** The living resource of this URN, not one that is replaced. */
  find(urn: string): ResourceState | undefined {
    return this.#resources.find((resource) => resource.urn === urn && !resource.replaced);
  }

  save(): Promise<void> {
    return this.#write({
      project: this.#project,
      stack: this.#stack,
      resources: this.#resources,
      outputs: this.outputs,
    });
  }

  /** Puts the resource in the place of the living one of its URN, or at the end. */
  put(resource: ResourceState): Promise<void> {
    const index = this.#resources.findIndex((entry) => entry.urn === resource.urn && !entry.replaced);
    if (index < 0) this.#resources.push(resource);
    else this.#resources[index] = resource;
    return this.save();
  }

  /** Changes one entry, which is found as the same object. Returns the new one. */
  async replace(entry: ResourceState, by: ResourceState): Promise<ResourceState> {
    this.#resources = this.#resources.map((resource) => (resource === entry ? by : resource));
    await this.save();
    return by;
  }

  remove(entry: ResourceState): Promise<void> {
    this.#resources = this.#resources.filter((resource) => resource !== entry);
    return this.save();
  }

  rename(from: string, to: string): void {
    this.#resources = renameUrn(this.#resources, from, to);
  }
}
