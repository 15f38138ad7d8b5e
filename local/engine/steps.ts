import { formatPath } from './diff.ts';
import type { StepEvent, StepKind } from './events.ts';
import { dependentsWithin } from './graph.ts';
import type { Ledger } from './ledger.ts';
import { Limiter, parseDuration } from './limiter.ts';
import {
  EngineError,
  type Hook,
  type HookCall,
  type HookMoment,
  type ResourceAnswer,
  type ResourceRequest,
} from './protocol.ts';
import { AlreadyExistsError, type Difference, type Operation, type Provider } from './providers/provider.ts';
import type { ResourceState, StoredOptions } from './state.ts';
import type { Properties } from './values.ts';

export interface StepsSettings {
  readonly dryRun: boolean;
  readonly ledger: Ledger;
  readonly parallel: number;
  readonly hooks: ReadonlyMap<string, Hook>;
  readonly providerOf: (type: string, options: StoredOptions) => Promise<Provider>;
  readonly onStep: (event: StepEvent) => void;
  readonly signal?: AbortSignal;
}

type Subject = Pick<ResourceState, 'urn' | 'type' | 'name'> & {
  readonly options: { readonly parent?: string };
};
type Hooks = StoredOptions['hooks'];

/** Carries out single steps: hooks before and after, the state written around the work, events on the way. */
export class Steps {
  /** Why deletions failed. */
  readonly failures: string[] = [];
  readonly #settings: StepsSettings;

  constructor(settings: StepsSettings) {
    this.#settings = settings;
  }

  /** @throws EngineError when a hook is bound that the program did not register. */
  checkHooks(options: { readonly hooks: Hooks }): void {
    for (const name of Object.values(options.hooks).flat()) {
      if (name !== undefined && !this.#settings.hooks.has(name)) {
        throw new EngineError(`hook "${name}" was not registered`);
      }
    }
  }

  event(subject: Subject, step: StepKind, phase: StepEvent['phase'], difference?: Difference): StepEvent {
    const paths = step === 'replace' ? difference?.replace : difference?.changed;
    return {
      kind: 'step',
      urn: subject.urn,
      type: subject.type,
      name: subject.name,
      ...(subject.options.parent === undefined ? {} : { parent: subject.options.parent }),
      step,
      phase,
      changed: (paths ?? []).map(formatPath),
    };
  }

  async create(
    request: ResourceRequest,
    provider: Provider,
    interrupted: ResourceState | undefined,
    fresh: ResourceState,
    step: StepKind,
    difference?: Difference,
  ): Promise<ResourceAnswer> {
    const { ledger } = this.#settings;
    const begun = { ...fresh, pending: 'create' as const };
    return this.#timed(request, step, difference, 'create', async (operation) => {
      await this.#runHooks(
        request.options.hooks,
        'beforeCreate',
        hookCall(fresh, { newInputs: fresh.inputs }),
      );
      await ledger.put(begun);
      try {
        const answer = await provider.create(request.type, fresh.inputs, {
          ...operation,
          resumed: interrupted !== undefined,
          onExists: ({ id, outputs }) => ledger.put({ ...fresh, id, outputs, pending: 'wait' }),
        });
        const { id, outputs } = answer;
        await ledger.put({ ...fresh, id, outputs });
        await this.#runHooks(
          request.options.hooks,
          'afterCreate',
          hookCall({ ...fresh, id }, { newInputs: fresh.inputs, newOutputs: outputs }),
        );
        return answer;
      } catch (error) {
        // What exists is someone else's: nothing of it may stay in our state.
        if (error instanceof AlreadyExistsError) await ledger.remove(begun);
        throw error;
      }
    });
  }

  async update(
    request: ResourceRequest,
    provider: Provider,
    old: ResourceState,
    fresh: ResourceState,
    difference?: Difference,
  ): Promise<ResourceAnswer> {
    const { ledger } = this.#settings;
    const inputs = { newInputs: fresh.inputs, oldInputs: old.inputs, oldOutputs: old.outputs };
    return this.#timed(request, 'update', difference, 'update', async (operation) => {
      await this.#runHooks(request.options.hooks, 'beforeUpdate', hookCall(old, inputs));
      const begun = await ledger.replace(old, { ...old, pending: 'update' });
      const answer = await provider.update(old, fresh.inputs, operation);
      await ledger.replace(begun, { ...fresh, id: answer.id, outputs: answer.outputs });
      await this.#runHooks(
        request.options.hooks,
        'afterUpdate',
        hookCall(old, { ...inputs, newOutputs: answer.outputs }),
      );
      return answer;
    });
  }

  /** Hooks that want to run in previews too. */
  async previewHooks(
    request: ResourceRequest,
    step: StepKind,
    old: ResourceState | undefined,
    inputs: Properties,
  ): Promise<void> {
    const moment = step === 'update' ? 'beforeUpdate' : step === 'same' ? undefined : 'beforeCreate';
    if (!moment) return;
    const subject = { urn: request.urn, id: old?.id ?? '', name: request.name, type: request.type };
    await this.#runHooks(request.options.hooks, moment, hookCall(subject, { newInputs: inputs }));
  }

  /**
   * Deletes, each resource as soon as nothing that depends on it is left. Those with a `beforeDelete` hook and no
   * dependents go before all others without one, so that a hook that refuses leaves everything. After a failure nothing
   * new starts; failures are in `failures`. What makes room for a replacement is shown as part of it.
   */
  async deleteAll(
    resources: readonly ResourceState[],
    options: { readonly currentHooks?: ReadonlyMap<string, Hooks>; readonly makesRoom?: boolean } = {},
  ): Promise<void> {
    this.#refuseProtected(resources);
    if (this.failures.length > 0) return;
    const dependents = dependentsWithin(resources);
    const hooksOf = (resource: ResourceState) =>
      (!resource.replaced && options.currentHooks?.get(resource.urn)) || resource.options.hooks;
    const mayRefuse = (resource: ResourceState) => (hooksOf(resource).beforeDelete ?? []).length > 0;
    const first = resources.filter(
      (resource) => mayRefuse(resource) && dependents.get(resource)?.length === 0,
    );
    const limiter = new Limiter(this.#settings.parallel);
    const deletions = new Map<ResourceState, Promise<boolean>>();
    const deleted = (resource: ResourceState): Promise<boolean> => {
      const known = deletions.get(resource);
      if (known) return known;
      const deletion = (async () => {
        const before = new Set([...(dependents.get(resource) ?? []), ...(mayRefuse(resource) ? [] : first)]);
        const gone = await Promise.all([...before].map(deleted));
        if (gone.includes(false)) return false;
        return limiter.run(async () => {
          if (this.failures.length > 0 || this.#settings.signal?.aborted) return false;
          return this.#deleteOne(resource, hooksOf(resource), options.makesRoom ?? false);
        });
      })();
      deletions.set(resource, deletion);
      return deletion;
    };
    await Promise.all(resources.map(deleted));
  }

  #refuseProtected(resources: readonly ResourceState[]): void {
    for (const resource of resources.filter((entry) => entry.options.protect)) {
      this.failures.push(
        `${resource.name} (${resource.type}) is protected and would be deleted. Nothing was deleted. Take away "protect" and run up first.`,
      );
    }
  }

  /** @returns whether the resource is gone. */
  async #deleteOne(resource: ResourceState, hooks: Hooks, makesRoom: boolean): Promise<boolean> {
    const { ledger, dryRun } = this.#settings;
    const isSilent = resource.type.startsWith('pulumi:providers:') || !resource.custom;
    if (dryRun) {
      this.#settings.onStep(this.event(resource, 'delete', 'planned'));
      return true;
    }
    if (isSilent || resource.options.retainOnDelete || this.#goesWithAnother(resource)) {
      await ledger.remove(resource);
      this.#settings.onStep(this.event(resource, 'delete', 'done'));
      return true;
    }
    try {
      const step = makesRoom || resource.replaced ? 'replace' : 'delete';
      await this.#timed(resource, step, undefined, 'delete', async (operation) => {
        if (step === 'replace') operation.report('deleting the old one');
        const call = hookCall(resource, { oldInputs: resource.inputs, oldOutputs: resource.outputs });
        await this.#runHooks(hooks, 'beforeDelete', call);
        const begun =
          resource.pending === 'create'
            ? resource
            : await ledger.replace(resource, { ...resource, pending: 'delete' });
        const provider = await this.#settings.providerOf(resource.type, resource.options);
        await provider.delete(resource, operation);
        await ledger.remove(begun);
        const failure = await this.#runHooks(hooks, 'afterDelete', call).catch(
          (error: Error) => error.message,
        );
        if (failure) operation.report(failure);
      });
      return true;
    } catch (error) {
      this.failures.push(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** `deletedWith`: it disappears with a resource that is being deleted as well. */
  #goesWithAnother(resource: ResourceState): boolean {
    const { deletedWith } = resource.options;
    return deletedWith !== undefined && this.#settings.ledger.find(deletedWith) !== undefined;
  }

  async #timed<T>(
    subject: Subject & { readonly options: { readonly customTimeouts: StoredOptions['customTimeouts'] } },
    step: StepKind,
    difference: Difference | undefined,
    limit: 'create' | 'update' | 'delete',
    work: (operation: Operation) => Promise<T>,
  ): Promise<T> {
    const { onStep, signal } = this.#settings;
    const started = Date.now();
    const seconds = () => (Date.now() - started) / 1000;
    const timeoutSeconds = parseDuration(subject.options.customTimeouts[limit]);
    onStep(this.event(subject, step, 'started', difference));
    try {
      const result = await work({
        ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
        ...(signal ? { signal } : {}),
        report: (message) =>
          onStep({ ...this.event(subject, step, 'waiting', difference), message, seconds: seconds() }),
      });
      const isPart = step === 'replace' && limit === 'delete';
      if (!isPart) onStep({ ...this.event(subject, step, 'done', difference), seconds: seconds() });
      return result;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      onStep({ ...this.event(subject, step, 'failed', difference), message, seconds: seconds() });
      throw error;
    }
  }

  /** @throws EngineError with the hook's own words when one fails. */
  async #runHooks(hooks: Hooks, moment: HookMoment, call: HookCall): Promise<undefined> {
    for (const name of hooks[moment] ?? []) {
      const hook = this.#settings.hooks.get(name);
      if (!hook) throw new EngineError(`hook "${name}" was not registered`);
      if (this.#settings.dryRun && !hook.onDryRun) continue;
      const error = await hook.run(call).catch((cause: Error) => `it could not be called: ${cause.message}`);
      if (error !== undefined && !hook.ignoreErrors) {
        throw new EngineError(`${moment} hook "${name}" of ${call.name} failed: ${error}`);
      }
    }
    return undefined;
  }
}

function hookCall(
  subject: Pick<ResourceState, 'urn' | 'id' | 'name' | 'type'>,
  properties: Pick<HookCall, 'newInputs' | 'oldInputs' | 'newOutputs' | 'oldOutputs'>,
): HookCall {
  return { urn: subject.urn, id: subject.id, name: subject.name, type: subject.type, ...properties };
}
