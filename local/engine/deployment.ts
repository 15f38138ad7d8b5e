import { randomUUID } from 'node:crypto';
import { formatPath, parsePath, touches, withIgnored } from './diff.ts';
import type { OnEvent, StepEvent, StepKind } from './events.ts';
import { aliasUrns } from './graph.ts';
import type { Ledger } from './ledger.ts';
import { Limiter } from './limiter.ts';
import {
  EngineError,
  type Hook,
  type LogMessage,
  type ProgramHost,
  type ResourceAnswer,
  type ResourceRequest,
  STACK_TYPE,
  StoppedError,
} from './protocol.ts';
import { metadataOf } from './providers/kubernetes-names.ts';
import type { Difference, Provider } from './providers/provider.ts';
import type { ProviderRegistry } from './providers/registry.ts';
import type { ResourceState, StoredOptions } from './state.ts';
import { Steps } from './steps.ts';
import { type Properties, Secret, type Value } from './values.ts';

export type Mode = 'up' | 'destroy';

export interface DeploymentSettings {
  readonly project: string;
  readonly stack: string;
  readonly mode: Mode;
  /** Plan only: nothing is written, nothing is asked of a cluster. */
  readonly dryRun: boolean;
  readonly ledger: Ledger;
  readonly registry: ProviderRegistry;
  readonly onEvent: OnEvent;
  readonly parallel: number;
  readonly signal?: AbortSignal;
}

interface Plan {
  readonly step: StepKind;
  readonly difference?: Difference;
}

/**
 * Brings a stack to what its program registers: each registration is compared with the state and done at once; what is
 * in the state and was not registered is deleted at the end, dependents first.
 */
export class Deployment implements ProgramHost {
  readonly errors: string[] = [];
  readonly steps: StepEvent[] = [];
  /** Outputs of the stack in this run; undefined until the program gives them. */
  outputs: Properties | undefined;
  readonly #settings: DeploymentSettings;
  readonly #limiter: Limiter;
  readonly #steps: Steps;
  readonly #hooks = new Map<string, Hook>();
  readonly #registered = new Map<string, ResourceRequest>();
  readonly #earlierUrns = new Map<string, readonly string[]>();
  /** Deleted ahead of their registration, because what they depend on is being replaced. */
  readonly #deletedEarly = new Set<string>();
  readonly #running = new Set<Promise<unknown>>();
  #isFinished = false;
  #hasFailedStep = false;

  constructor(settings: DeploymentSettings) {
    this.#settings = settings;
    this.#limiter = new Limiter(settings.parallel);
    this.#steps = new Steps({
      ...settings,
      hooks: this.#hooks,
      providerOf: (type, options) => this.#provider(type, options.provider),
      onStep: (event) => this.#emit(event),
    });
  }

  /** The program registered everything it has, and the deletions after it went well. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  get hasFailed(): boolean {
    return this.errors.length > 0 || this.isEnding;
  }

  /** A step failed or a stop was asked for: nothing new starts. An error that the program logs lets it go on. */
  get isEnding(): boolean {
    return this.#hasFailedStep || (this.#settings.signal?.aborted ?? false);
  }

  log(message: LogMessage): void {
    // The SDK's debug messages quote requests with the secrets in them.
    if (message.severity === 'debug') return;
    // After a failed step the SDK finds its connection closed; the cause has been reported.
    if (this.#hasFailedStep) return;
    if (message.severity === 'error') this.errors.push(message.message);
    this.#settings.onEvent({ kind: 'log', log: message });
  }

  registerHook(hook: Hook): void {
    if (this.#hooks.has(hook.name)) throw new EngineError(`hook "${hook.name}" is registered twice`);
    this.#hooks.set(hook.name, hook);
  }

  async register(request: ResourceRequest): Promise<ResourceAnswer> {
    if (this.isEnding) throw new StoppedError('the update is ending after an error');
    const work = this.#register(request).catch((error: unknown) => {
      if (error instanceof StoppedError) throw error;
      this.#fail(request.urn, error);
      throw new StoppedError('the update is ending after an error', { cause: error });
    });
    this.#running.add(work);
    return work.finally(() => this.#running.delete(work));
  }

  #fail(urn: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#hasFailedStep = true;
    this.errors.push(message);
    this.#settings.onEvent({ kind: 'log', log: { severity: 'error', message, urn, ephemeral: false } });
  }

  async #register(request: ResourceRequest): Promise<ResourceAnswer> {
    if (this.#registered.has(request.urn)) {
      throw new EngineError(
        `${request.urn} is registered twice. Expected: each resource of a type has a name of its own under its parent.`,
      );
    }
    this.#registered.set(request.urn, request);
    this.#steps.checkHooks(request.options);
    const old = this.#findOld(request);
    if (request.type === STACK_TYPE) return { outputs: {} };
    if (this.#settings.mode === 'destroy') return answerFromState(old);
    if (!request.custom) return this.#record(request, old, '');
    if (request.type.startsWith('pulumi:providers:')) {
      return this.#record(request, old, old?.id ?? randomUUID());
    }
    return this.#limiter.run(() => this.#manage(request, old));
  }

  #findOld(request: ResourceRequest): ResourceState | undefined {
    const { ledger } = this.#settings;
    const parentAliases = this.#earlierUrns.get(request.options.parent ?? '') ?? [];
    const earlier = aliasUrns(request, this.#settings, parentAliases);
    this.#earlierUrns.set(request.urn, earlier);
    const present = ledger.find(request.urn);
    if (present) return present;
    const from = earlier.find((urn) => ledger.find(urn) && !this.#registered.has(urn));
    if (from === undefined) return undefined;
    ledger.rename(from, request.urn);
    return ledger.find(request.urn);
  }

  /** Components and explicit providers: nothing to be done outside, only to be remembered. */
  async #record(
    request: ResourceRequest,
    old: ResourceState | undefined,
    id: string,
  ): Promise<ResourceAnswer> {
    this.#emit(
      this.#steps.event(request, old ? 'same' : 'create', this.#settings.dryRun ? 'planned' : 'done'),
    );
    const outputs = request.custom ? request.inputs : {};
    if (!this.#settings.dryRun || !old) {
      await this.#settings.ledger.put({ ...stored(request, request.inputs, outputs), id });
    }
    return { id, outputs };
  }

  async #manage(request: ResourceRequest, old: ResourceState | undefined): Promise<ResourceAnswer> {
    if (this.isEnding) throw new StoppedError('the update is ending after an error');
    if (request.options.importId !== undefined) {
      throw new EngineError(
        `${request.name}: import is not part of the embedded engine. Use the Pulumi CLI for it.`,
      );
    }
    const provider = await this.#provider(request.type, request.options.provider);
    const ignored = request.options.ignoreChanges;
    const checked = provider.check(request, old);
    const inputs = old ? withIgnored(old.inputs, checked, ignored) : checked;
    const plan = this.#plan(request, provider, old, inputs);
    if (plan.step === 'replace' && (old?.options.protect ?? false)) {
      const paths = plan.difference?.replace.map(formatPath).join(', ');
      throw new EngineError(
        `${request.name} (${request.type}) is protected and would be replaced, because of ${paths}. Take the change back, or take away "protect" and run up first.`,
      );
    }
    // Old and new are there at the same time, so a name that was drawn is drawn anew.
    const isBeside = plan.step === 'replace' && !plan.difference?.deleteFirst;
    const wanted =
      isBeside && old ? withIgnored(old.inputs, provider.check(request, undefined), ignored) : inputs;
    const answer = this.#settings.dryRun
      ? await this.#preview(request, provider, old, wanted, plan)
      : await this.#execute(request, provider, old, wanted, plan);
    return { ...answer, outputs: withSecretOutputs(request, answer.outputs) };
  }

  #plan(
    request: ResourceRequest,
    provider: Provider,
    old: ResourceState | undefined,
    inputs: Properties,
  ): Plan {
    if (!old || old.pending === 'create')
      return { step: this.#deletedEarly.has(request.urn) ? 'replace' : 'create' };
    const found = provider.diff(old, inputs);
    const wanted = request.options.replaceOnChanges.map(parsePath);
    const forced = found.changed.filter((path) => wanted.some((pattern) => touches(pattern, path)));
    const difference = {
      ...found,
      replace: [...found.replace, ...forced],
      deleteFirst: request.options.deleteBeforeReplace ?? found.deleteFirst,
    };
    // A deletion that was under way is finished first; what comes after is a new resource.
    if (old.pending === 'delete')
      return { step: 'replace', difference: { ...difference, deleteFirst: true } };
    if (difference.replace.length > 0) return { step: 'replace', difference };
    if (found.changed.length > 0 || old.pending) return { step: 'update', difference };
    return { step: 'same' };
  }

  async #preview(
    request: ResourceRequest,
    provider: Provider,
    old: ResourceState | undefined,
    inputs: Properties,
    plan: Plan,
  ): Promise<ResourceAnswer> {
    this.#emit(this.#steps.event(request, plan.step, 'planned', plan.difference));
    await this.#steps.previewHooks(request, plan.step, old, inputs);
    if (plan.step === 'same' && old) return { id: old.id, outputs: old.outputs };
    if (plan.step === 'replace' && old && plan.difference?.deleteFirst) {
      for (const resource of this.#goesWith(old)) this.#deletedEarly.add(resource.urn);
    }
    const kept = plan.step === 'update' ? old : undefined;
    const outputs = provider.preview(request.type, inputs, kept);
    return kept ? { id: kept.id, outputs } : { outputs };
  }

  async #execute(
    request: ResourceRequest,
    provider: Provider,
    old: ResourceState | undefined,
    inputs: Properties,
    plan: Plan,
  ): Promise<ResourceAnswer> {
    const { ledger } = this.#settings;
    const fresh = stored(request, inputs, {});
    switch (plan.step) {
      case 'same':
        this.#emit(this.#steps.event(request, 'same', 'done'));
        if (!old) throw new Error('unreachable: a resource without a state is created');
        await ledger.put({ ...fresh, id: old.id, outputs: old.outputs });
        return { id: old.id, outputs: old.outputs };
      case 'update':
        if (!old) throw new Error('unreachable: a resource without a state is created');
        return this.#steps.update(request, provider, old, fresh, plan.difference);
      case 'replace':
        if (old && plan.difference?.deleteFirst) await this.#deleteForReplacement(old);
        else if (old) await ledger.replace(old, { ...old, replaced: true });
        return this.#steps.create(request, provider, undefined, fresh, 'replace', plan.difference);
      default:
        return this.#steps.create(request, provider, old, fresh, plan.step);
    }
  }

  /** What goes when the resource is deleted for its replacement: of a namespace, everything in it. */
  #goesWith(old: ResourceState): ResourceState[] {
    const resources = this.#settings.ledger.resources;
    if (old.inputs.kind !== 'Namespace') return resources.filter((resource) => resource === old);
    const inside = (resource: ResourceState) =>
      resource.type.startsWith('kubernetes:') &&
      metadataOf(resource.inputs).namespace === metadataOf(old.inputs).name;
    return resources.filter((resource) => resource === old || inside(resource));
  }

  async #deleteForReplacement(old: ResourceState): Promise<void> {
    const doomed = this.#goesWith(old);
    for (const resource of doomed) this.#deletedEarly.add(resource.urn);
    await this.#steps.deleteAll(doomed, { makesRoom: true });
    if (this.#steps.failures.length > 0) {
      this.#hasFailedStep = true;
      this.errors.push(...this.#steps.failures.splice(0));
      throw new StoppedError('the update is ending after an error');
    }
  }

  registerOutputs(urn: string, outputs: Properties): void {
    if (this.#registered.get(urn)?.type === STACK_TYPE) this.outputs = outputs;
  }

  async invoke(token: string): Promise<Properties> {
    throw new EngineError(
      `function ${token} is not part of the embedded engine. Use the Pulumi CLI for this program.`,
    );
  }

  async read(request: ResourceRequest, id: string): Promise<ResourceAnswer> {
    throw new EngineError(
      `${request.type} ${id} is read from the cluster; that is not part of the embedded engine. Use the Pulumi CLI for this program.`,
    );
  }

  /** Waits for what is under way. After a failure nothing new starts, but what runs is finished and written. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#running]);
  }

  async finish(): Promise<void> {
    await this.settle();
    if (this.hasFailed) return;
    const { ledger, mode, dryRun } = this.#settings;
    const obsolete = ledger.resources.filter(
      (resource) => mode === 'destroy' || resource.replaced || !this.#registered.has(resource.urn),
    );
    const current = new Map([...this.#registered].map(([urn, request]) => [urn, request.options.hooks]));
    await this.#steps.deleteAll(obsolete, { currentHooks: current });
    this.errors.push(...this.#steps.failures.splice(0));
    if (this.hasFailed) return;
    if (mode === 'up' && !dryRun) {
      ledger.outputs = this.outputs ?? {};
      await ledger.save();
    }
    this.#isFinished = true;
  }

  #emit(event: StepEvent): void {
    if (event.phase === 'planned' || event.phase === 'done') this.steps.push(event);
    this.#settings.onEvent(event);
  }

  #provider(type: string, reference: string | undefined): Promise<Provider> {
    const inputsOf = (urn: string) =>
      this.#registered.get(urn)?.inputs ?? this.#settings.ledger.find(urn)?.inputs;
    return this.#settings.registry.find(type, reference, inputsOf);
  }
}

/** In a destroy nothing is created: what exists answers as it is, what does not is unknown. */
function answerFromState(old: ResourceState | undefined): ResourceAnswer {
  return old ? { id: old.id, outputs: old.outputs } : { outputs: {}, isUnknown: true };
}

function stored(request: ResourceRequest, inputs: Properties, outputs: Properties): ResourceState {
  const { options } = request;
  const kept: StoredOptions = {
    dependencies: options.dependencies,
    propertyDependencies: options.propertyDependencies,
    customTimeouts: options.customTimeouts,
    hooks: options.hooks,
    ...(options.parent === undefined ? {} : { parent: options.parent }),
    ...(options.protect === undefined ? {} : { protect: options.protect }),
    ...(options.retainOnDelete === undefined ? {} : { retainOnDelete: options.retainOnDelete }),
    ...(options.deleteBeforeReplace === undefined
      ? {}
      : { deleteBeforeReplace: options.deleteBeforeReplace }),
    ...(options.deletedWith === undefined ? {} : { deletedWith: options.deletedWith }),
    ...(options.provider === undefined ? {} : { provider: options.provider }),
  };
  return {
    urn: request.urn,
    type: request.type,
    name: request.name,
    custom: request.custom,
    id: '',
    inputs,
    outputs,
    options: kept,
  };
}

/** Marks the outputs that the program or its SDK declares secret. */
function withSecretOutputs(request: ResourceRequest, outputs: Properties): Properties {
  const marked: Record<string, Value> = { ...outputs };
  for (const key of request.options.additionalSecretOutputs) {
    const value = marked[key];
    if (value !== undefined && !(value instanceof Secret)) marked[key] = new Secret(value);
  }
  return marked;
}
