import { type ConfigValue, loadConfig } from './config.ts';
import { idOf, isKubernetesObject, withName, withSecretData } from './kubernetes-names.ts';
import { type ProgramExit, startProgram } from './program.ts';
import {
  EngineError,
  type Hook,
  type HookCall,
  type LogMessage,
  type ProgramHost,
  type ResourceAnswer,
  type ResourceOptions,
  type ResourceRequest,
  STACK_TYPE,
} from './protocol.ts';
import { generateRandom, previewRandom } from './random.ts';
import { decodeProperties, type Properties } from './values.ts';
import type { ProgramWorkers } from './workers.ts';

export interface RunOptions {
  /** Folder of the program's Pulumi.yaml. */
  readonly directory: string;
  readonly stack: string;
  /** Over the stack's file and the defaults of Pulumi.yaml. A key without a colon is the project's own. */
  readonly config?: Readonly<Record<string, ConfigValue>>;
  /** The same for secrets. */
  readonly secretConfig?: Readonly<Record<string, ConfigValue>>;
  /** true: as in a preview, what does not exist yet is unknown. Default false. */
  readonly dryRun?: boolean;
  /** Whether `Pulumi.<stack>.yaml` is read where it exists. Default true. */
  readonly stackFile?: boolean;
  /** Gives or changes the outputs of a resource, e.g. an ingress address; `simulated` is what it would get else. */
  readonly answer?: (registration: Registration, simulated: ResourceAnswer) => ResourceAnswer;
  /** Runs once everything is registered, with the program still alive: the place to call its hooks. */
  readonly whenRegistered?: (run: LiveRun) => Promise<void>;
  /**
   * Processes that keep the SDKs loaded from run to run. Without them, and where a run does not end well there, the
   * program runs in a process of its own: what is recorded is the same.
   */
  readonly workers?: ProgramWorkers;
  readonly signal?: AbortSignal;
}

/** One resource as the program registered it; `outputs` is what it was answered. */
export interface Registration {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** false: a component or the stack. */
  readonly custom: boolean;
  /** Secrets are `Secret`, unknowns are `UNKNOWN`. */
  readonly inputs: Properties;
  readonly options: ResourceOptions;
  readonly id?: string;
  readonly outputs: Properties;
}

export interface LiveRun {
  readonly registrations: readonly Registration[];
  /** Calls a hook of the program. Resolves to its error message; to undefined when it passed. */
  runHook(name: string, call: Partial<HookCall>): Promise<string | undefined>;
}

export interface ProgramRun {
  /** The program ended without an error. */
  readonly ok: boolean;
  /** In the order of registration; the stack itself is the first. */
  readonly registrations: readonly Registration[];
  /** Stack outputs; secrets are `Secret`. */
  readonly outputs: Properties;
  /** Outputs that components registered, by URN. */
  readonly componentOutputs: Readonly<Record<string, Properties>>;
  readonly hooks: readonly { readonly name: string; readonly onDryRun: boolean }[];
  /** `pulumi.log.*`, debug messages left out. */
  readonly logs: readonly LogMessage[];
  /** Errors of the program; those it expects come without a stack. */
  readonly errors: readonly string[];
  /** What the program printed, line by line. */
  readonly printed: readonly string[];
}

/**
 * Runs a Pulumi program without any cluster and records what it registers. Created resources are answered with
 * plausible outputs: Kubernetes objects as given (with a name), random values generated; in a dry run what only a real
 * operation can tell is unknown. Errors of the program are in the result, they do not reject.
 * @throws EngineError when the program cannot be started at all (no Pulumi.yaml, unreadable stack file, …).
 */
export async function runProgram(options: RunOptions): Promise<ProgramRun> {
  const settings = await loadConfig({
    directory: options.directory,
    stack: options.stack,
    config: options.config ?? {},
    secretConfig: options.secretConfig ?? {},
    stackFile: options.stackFile ?? true,
    undecryptable: 'placeholder',
  });
  const record = async (start: typeof startProgram): Promise<[Recorder, ProgramExit]> => {
    const recorder = new Recorder(options);
    const exit = await start(recorder, {
      ...settings,
      stack: options.stack,
      dryRun: options.dryRun ?? false,
      onPrint: (line) => recorder.printed.push(line),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    return [recorder, exit];
  };
  const workers = settings.typescript ? undefined : options.workers;
  let [recorder, exit] = workers
    ? await record((host, program) => workers.start(host, program))
    : await record(startProgram);
  // Its words would name what only a worker has.
  if (workers && (exit.code !== 0 || recorder.errors.length > 0))
    [recorder, exit] = await record(startProgram);
  if (exit.code !== 0 && recorder.errors.length === 0) {
    recorder.errors.push(
      `the program ended with ${exit.signal ?? `code ${exit.code}`}:\n${exit.errorOutput}`,
    );
  }
  return {
    ok: exit.code === 0 && recorder.errors.length === 0,
    registrations: recorder.registrations,
    outputs: recorder.stackOutputs(),
    componentOutputs: Object.fromEntries(recorder.registeredOutputs),
    hooks: [...recorder.hooks.values()].map(({ name, onDryRun }) => ({ name, onDryRun })),
    logs: recorder.logs,
    errors: recorder.errors,
    printed: recorder.printed,
  };
}

class Recorder implements ProgramHost {
  readonly registrations: Registration[] = [];
  readonly registeredOutputs = new Map<string, Properties>();
  readonly hooks = new Map<string, Hook>();
  readonly logs: LogMessage[] = [];
  readonly errors: string[] = [];
  readonly printed: string[] = [];
  readonly #options: RunOptions;
  readonly #urns = new Set<string>();

  constructor(options: RunOptions) {
    this.#options = options;
  }

  log(message: LogMessage): void {
    if (message.severity === 'error') this.errors.push(message.message);
    if (message.severity !== 'debug' && !message.ephemeral) this.logs.push(message);
  }

  registerHook(hook: Hook): void {
    if (this.hooks.has(hook.name)) throw new EngineError(`hook ${hook.name} is registered twice`);
    this.hooks.set(hook.name, hook);
  }

  async register(request: ResourceRequest): Promise<ResourceAnswer> {
    if (this.#urns.has(request.urn)) {
      throw new EngineError(`Duplicate resource URN '${request.urn}'; try giving it a unique name`);
    }
    this.#urns.add(request.urn);
    for (const name of Object.values(request.options.hooks).flat()) {
      if (name && !this.hooks.has(name)) throw new EngineError(`hook "${name}" was not registered`);
    }
    const simulated = simulate(request, this.#options.dryRun ?? false);
    const registration = { ...request, ...simulated };
    const answer = this.#options.answer?.(registration, simulated) ?? simulated;
    this.registrations.push({ ...request, ...answer });
    return answer;
  }

  registerOutputs(urn: string, outputs: Properties): void {
    this.registeredOutputs.set(urn, outputs);
  }

  async invoke(token: string): Promise<Properties> {
    throw new EngineError(`function ${token} needs a provider; a recording has none.`);
  }

  async read(request: ResourceRequest, id: string): Promise<ResourceAnswer> {
    return { id, outputs: request.inputs };
  }

  async finish(): Promise<void> {
    try {
      await this.#options.whenRegistered?.({
        registrations: this.registrations,
        runHook: (name, call) => this.#runHook(name, call),
      });
    } catch (error) {
      this.errors.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  async #runHook(name: string, call: Partial<HookCall>): Promise<string | undefined> {
    const hook = this.hooks.get(name);
    if (!hook) throw new EngineError(`hook "${name}" was not registered`);
    return hook.run({ urn: '', id: '', name: '', type: '', ...call });
  }

  stackOutputs(): Properties {
    const stack = this.registrations.find((registration) => registration.type === STACK_TYPE);
    return (stack && this.registeredOutputs.get(stack.urn)) ?? decodeProperties({});
  }
}

function simulate(request: ResourceRequest, dryRun: boolean): ResourceAnswer {
  if (!request.custom) return { outputs: {} };
  if (request.type.startsWith('random:')) {
    return dryRun
      ? { outputs: previewRandom(request.type, request.inputs) }
      : generateRandom(request.type, request.inputs);
  }
  if (isKubernetesObject(request.type, request.inputs)) {
    const object = withSecretData(withName(request.inputs, request.name, request.urn));
    return dryRun ? { outputs: object } : { id: idOf(object), outputs: object };
  }
  return dryRun ? { outputs: request.inputs } : { id: `${request.name}-id`, outputs: request.inputs };
}
