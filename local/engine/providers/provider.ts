import type { PathStep } from '../diff.ts';
import { EngineError, type ResourceAnswer, type ResourceRequest } from '../protocol.ts';
import type { ResourceState } from '../state.ts';
import type { Properties } from '../values.ts';

/** A resource of this name exists and is not this stack's. */
export class AlreadyExistsError extends EngineError {}

export interface Difference {
  readonly changed: readonly PathStep[][];
  /** Those of the changed that need a new resource. */
  readonly replace: readonly PathStep[][];
  /** The old one must go before the new one comes. */
  readonly deleteFirst: boolean;
}

export interface Operation {
  /** Limit in seconds, where the program sets one. */
  readonly timeoutSeconds?: number;
  /** Says what is awaited. */
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface CreateOperation extends Operation {
  /** An earlier run was stopped while it created this resource: what exists and is ours is taken over. */
  readonly resumed: boolean;
  /** Called once the resource exists and only its readiness is awaited. */
  readonly onExists: (answer: ResourceAnswer & { readonly id: string }) => Promise<void>;
}

/** Manages the resources of one package. */
export interface Provider {
  /** The inputs as they are stored: with names and marks that the program left out. `old` is what it replaces or updates. */
  check(request: ResourceRequest, old: ResourceState | undefined): Properties;
  diff(old: ResourceState, inputs: Properties): Difference;
  /** Outputs in a preview of a creation, replacement (`old` undefined) or update. */
  preview(type: string, inputs: Properties, old: ResourceState | undefined): Properties;
  /** @throws EngineError also where a resource of this name exists that is not ours. */
  create(
    type: string,
    inputs: Properties,
    operation: CreateOperation,
  ): Promise<ResourceAnswer & { readonly id: string }>;
  update(
    old: ResourceState,
    inputs: Properties,
    operation: Operation,
  ): Promise<ResourceAnswer & { readonly id: string }>;
  /** Resolves when it is gone; at once when it was gone already. */
  delete(old: ResourceState, operation: Operation): Promise<void>;
}
