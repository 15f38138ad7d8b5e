import { changedPaths } from '../diff.ts';
import type { ResourceAnswer, ResourceRequest } from '../protocol.ts';
import type { ResourceState } from '../state.ts';
import type { Properties } from '../values.ts';
import type { Difference, Provider } from './provider.ts';
import { drawRandom, previewRandom } from './random.ts';

/** Random values: drawn at creation, kept in the state, drawn anew when any input changes (`keepers` is one). */
export class RandomProvider implements Provider {
  check(request: ResourceRequest): Properties {
    return request.inputs;
  }

  diff(old: ResourceState, inputs: Properties): Difference {
    const changed = changedPaths(old.inputs, inputs);
    return { changed, replace: changed, deleteFirst: false };
  }

  preview(type: string, inputs: Properties, old: ResourceState | undefined): Properties {
    return old ? old.outputs : previewRandom(type, inputs);
  }

  async create(type: string, inputs: Properties): Promise<ResourceAnswer & { readonly id: string }> {
    return drawRandom(type, inputs);
  }

  async update(old: ResourceState, inputs: Properties): Promise<ResourceAnswer & { readonly id: string }> {
    return { id: old.id, outputs: { ...old.outputs, ...inputs } };
  }

  async delete(): Promise<void> {}
}
