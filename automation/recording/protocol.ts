import type { Properties, Value } from './values.ts';

/** What a program asks of its engine, in plain types. Names follow Pulumi's `resource.proto`. */

export interface Alias {
  readonly urn?: string;
  readonly spec?: {
    readonly name?: string;
    readonly type?: string;
    readonly stack?: string;
    readonly project?: string;
    /** Absent: the same parent as the resource itself. */
    readonly parentUrn?: string;
    readonly noParent?: boolean;
  };
}

export type HookMoment =
  | 'beforeCreate'
  | 'afterCreate'
  | 'beforeUpdate'
  | 'afterUpdate'
  | 'beforeDelete'
  | 'afterDelete';

export interface ResourceOptions {
  /** URN; only the stack itself has none. */
  readonly parent?: string;
  /** URNs of all resources that must exist before this one: `dependsOn` and the resources its inputs come from. */
  readonly dependencies: readonly string[];
  /** Property → URNs that its value comes from. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
  readonly protect?: boolean;
  readonly retainOnDelete?: boolean;
  readonly deleteBeforeReplace?: boolean;
  /** Durations as the program wrote them, e.g. `10m`, `1h30m`. */
  readonly customTimeouts: { readonly create?: string; readonly update?: string; readonly delete?: string };
  readonly ignoreChanges: readonly string[];
  readonly replaceOnChanges: readonly string[];
  readonly additionalSecretOutputs: readonly string[];
  readonly aliases: readonly Alias[];
  /** `<urn>::<id>` of an explicit provider. */
  readonly provider?: string;
  readonly providers: Readonly<Record<string, string>>;
  readonly version?: string;
  readonly importId?: string;
  readonly deletedWith?: string;
  readonly replaceWith: readonly string[];
  /** Names of the hooks bound to this resource. */
  readonly hooks: Readonly<Partial<Record<HookMoment, readonly string[]>>>;
}

export interface ResourceRequest {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** false for components. */
  readonly custom: boolean;
  readonly inputs: Properties;
  readonly options: ResourceOptions;
}

export interface ResourceAnswer {
  readonly id?: string;
  readonly outputs: Properties;
  /** It does not exist and will not in this run: all its outputs are unknown to the program. */
  readonly isUnknown?: boolean;
}

export interface HookCall {
  readonly urn: string;
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly newInputs?: Properties;
  readonly oldInputs?: Properties;
  readonly newOutputs?: Properties;
  readonly oldOutputs?: Properties;
}

export interface Hook {
  readonly name: string;
  readonly onDryRun: boolean;
  readonly ignoreErrors: boolean;
  /** Runs the hook inside the program. Resolves to its error message, or to undefined when it passed. */
  readonly run: (call: HookCall) => Promise<string | undefined>;
}

export interface LogMessage {
  readonly severity: 'debug' | 'info' | 'warning' | 'error';
  readonly message: string;
  readonly urn?: string;
  /** Status line: replaced by the next one, not kept. */
  readonly ephemeral: boolean;
}

/** What answers a program. A rejected `register` ends the program with that message. */
export interface ProgramHost {
  log(message: LogMessage): void;
  registerHook(hook: Hook): void;
  register(request: ResourceRequest): Promise<ResourceAnswer>;
  registerOutputs(urn: string, outputs: Properties): void;
  invoke(token: string, args: Properties): Promise<Properties>;
  read(request: ResourceRequest, id: string): Promise<ResourceAnswer>;
  /** The program has registered everything; it stays alive, for its hooks, until this resolves. */
  finish(): Promise<void>;
}

/** An expected failure: shown without a stack. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

export const STACK_TYPE = 'pulumi:pulumi:Stack';

/**
 * `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`, as Pulumi's engine makes it: the types of the parents
 * in front, without the stack's own.
 */
export function makeUrn(
  stack: string,
  project: string,
  parent: string | undefined,
  type: string,
  name: string,
): string {
  const parentType = parent ? qualifiedTypeOf(parent) : '';
  const qualified = parentType && parentType !== STACK_TYPE ? `${parentType}$${type}` : type;
  return `urn:pulumi:${stack}::${project}::${qualified}::${name}`;
}

/** Third part of a URN, e.g. `a:b:Parent$c:d:Child`. */
export function qualifiedTypeOf(urn: string): string {
  return urn.split('::')[2] ?? '';
}

export function nameOf(urn: string): string {
  return urn.split('::').slice(3).join('::');
}

export function typeOf(urn: string): string {
  return qualifiedTypeOf(urn).split('$').at(-1) ?? '';
}

export type { Properties, Value };
