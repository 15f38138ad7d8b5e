import { randomUUID } from 'node:crypto';
import type { Report } from '../tools/progress.ts';
import { type CommandEnd, CommandFailure } from './command.ts';
import { plainText } from './steps.ts';

/**
 * Living Kubernetes objects into a state that knows none of them. `pulumi import` takes the inputs from the objects, with
 * all that the cluster added to them, so that the next `up` replaces claims and more. Here they are the inputs that the
 * program plans; a refresh then puts the living values in their places, and drops what does not live. Only the state is
 * written. What is secret, and what is no Kubernetes object, comes from the next `up`; but what was drawn once and is in
 * use can be told from the living objects.
 */

/** Runs the command on the stack. @throws CommandFailure */
export type RunOnStack = (
  args: readonly string[],
  changes?: { readonly input?: string; readonly isTakingOver?: boolean },
) => Promise<CommandEnd>;

/** A living object. Its secrets are in clear: never print it. */
export interface LivingObject {
  readonly type: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** Outputs of resources that are no objects, by logical name, each of them secret. What is not told here the next `up` draws. */
export type Recover = (
  objects: readonly LivingObject[],
) => Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface TakenOver {
  /** Kind and name of each object that the state knows now. */
  readonly objects: readonly string[];
  /** What the next `up` does, by kind of change; never a replacement or deletion. */
  readonly changes: Readonly<Record<string, number>>;
}

/** A resource as previews and states write it; what is not named here goes through unread. */
interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly custom: boolean;
  readonly id?: string;
  readonly provider?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly dependencies?: readonly string[];
  readonly propertyDependencies?: Readonly<Record<string, readonly string[]>>;
}

interface Digest {
  readonly config?: Readonly<Record<string, string>>;
  readonly steps?: readonly { readonly op: string; readonly urn: string; readonly newState?: Resource }[];
  readonly diagnostics?: readonly { readonly severity: string; readonly message: string }[];
}

interface StateFile {
  readonly version: number;
  readonly deployment: { readonly resources?: readonly Resource[] };
}

const isObject = ({ type }: Resource) => type.startsWith('kubernetes:');
const nameOf = ({ type, urn }: Resource) => `${type.split(':').at(-1)} ${urn.split('::').at(-1)}`;

/**
 * @throws Error where the state knows objects already, where nothing lives, and where the next `up` would replace or
 * delete something or is refused by the program. The state is as it was then.
 */
export async function takeOver(run: RunOnStack, report: Report, recover: Recover): Promise<TakenOver> {
  const before = await run(['stack', 'export']);
  const state = JSON.parse(before.stdout) as StateFile;
  const known = state.deployment.resources?.filter(isObject) ?? [];
  if (known.length > 0)
    throw new Error(
      `The state knows ${known.length} objects already (${known.slice(0, 3).map(nameOf).join(', ')}, …); only a state without any can take over. Nothing was changed. ` +
        'What is in the cluster comes into a state that knows it with: pulumi refresh',
    );
  let isWritten = false;
  const write = async (resources: readonly Resource[]) => {
    isWritten = true;
    // What a killed run was creating is among the living objects, or there is none of it.
    const deployment = { ...state.deployment, resources, pending_operations: [] };
    await run(['stack', 'import'], { input: JSON.stringify({ ...state, deployment }) });
  };
  try {
    // Components of an `up` that was refused: a preview is silent about what it would leave as it is.
    if (state.deployment.resources?.length) await write([]);
    report('asking the program what it plans');
    const digest = await preview(run, true);
    const providers = new Providers(await providerInputs(run, digest.config));
    const planned = plannedState(digest, providers);
    report('reading the living objects');
    await write(planned);
    await run(['refresh', '--yes', '--skip-preview']);
    const { stdout } = await run(['stack', 'export']);
    const living = (JSON.parse(stdout) as StateFile).deployment.resources ?? [];
    const objects = living.filter(isObject).map(nameOf);
    if (objects.length === 0)
      throw new Error(
        'None of the objects of this stack lives. Nothing was changed. `pulumi up` creates them.',
      );
    const drawn = recover(await livingObjects(run));
    const before = providers.all.length;
    const recovered = recoveredState(digest, drawn, providers);
    await write([...living.map(withFieldManager), ...providers.all.slice(before), ...recovered]);
    report('asking what the next up would change');
    return { objects, changes: harmless(await preview(run, false)) };
  } catch (error) {
    if (isWritten) await run(['stack', 'import'], { input: before.stdout });
    throw error;
  }
}

async function preview(run: RunOnStack, isTakingOver: boolean): Promise<Digest> {
  try {
    const { stdout } = await run(['preview', '--json'], { isTakingOver });
    return JSON.parse(stdout) as Digest;
  } catch (error) {
    if (!(error instanceof CommandFailure) || !error.end.stdout.trimStart().startsWith('{')) throw error;
    const { diagnostics = [] } = JSON.parse(error.end.stdout) as Digest;
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.length === 0) throw error;
    throw new Error(`Nothing was changed.\n${errors.map(({ message }) => plainText(message)).join('\n')}`);
  }
}

/** How previews write what is not known or must not be shown. */
const UNKNOWN = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';
const HIDDEN = '[secret]';

/** Without the parts that the preview does not tell. */
function told(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(told);
  if (typeof value !== 'object' || value === null) return value;
  const parts = Object.entries(value).filter(([, part]) => part !== HIDDEN && part !== UNKNOWN);
  return Object.fromEntries(parts.map(([key, part]) => [key, told(part)]));
}

/** Stack, components, providers and objects as if they had been created as planned. */
function plannedState(digest: Digest, providers: Providers): Resource[] {
  const kept = plannedResources(digest).filter((resource) => !resource.custom || isObject(resource));
  const urns = new Set(kept.map(({ urn }) => urn));
  const only = (list: readonly string[] = []) => list.filter((urn) => urns.has(urn));
  const resources = kept.map((resource): Resource => {
    const { dependencies, propertyDependencies = {}, provider, ...rest } = resource;
    if (!resource.custom) return { ...rest, dependencies: only(dependencies) };
    const inputs = told(resource.inputs) as Readonly<Record<string, unknown>>;
    return {
      ...rest,
      id: idOf(inputs),
      inputs,
      outputs: {},
      provider: providers.referenceFor(provider ?? ''),
      dependencies: only(dependencies),
      propertyDependencies: Object.fromEntries(
        Object.entries(propertyDependencies).map(([key, list]) => [key, only(list)]),
      ),
    };
  });
  const [stack, ...others] = resources;
  return stack === undefined ? [] : [stack, ...providers.all, ...others];
}

const plannedResources = ({ steps = [] }: Digest) =>
  steps.flatMap(({ newState }) => (newState === undefined ? [] : [newState]));

/** Providers that the state needs for what refers to them. */
class Providers {
  readonly #known = new Map<string, Resource>();
  readonly #kubernetes: Readonly<Record<string, unknown>>;
  constructor(kubernetes: Readonly<Record<string, unknown>>) {
    this.#kubernetes = kubernetes;
  }
  get all(): readonly Resource[] {
    return [...this.#known.values()];
  }
  /** @param planned `URN::ID`, where previews do not know the id */
  referenceFor(planned: string): string {
    const urn = planned.slice(0, planned.lastIndexOf('::'));
    const settings = urn.includes('pulumi:providers:kubernetes::') ? this.#kubernetes : {};
    const provider = this.#known.get(urn) ?? defaultProvider(urn, settings);
    this.#known.set(urn, provider);
    return `${urn}::${provider.id}`;
  }
}

/** What was drawn, as it is in use. */
function recoveredState(
  digest: Digest,
  drawn: Readonly<Record<string, Readonly<Record<string, string>>>>,
  providers: Providers,
): Resource[] {
  return plannedResources(digest).flatMap((resource): Resource[] => {
    const outputs = drawn[resource.urn.split('::').at(-1) ?? ''];
    if (!resource.custom || isObject(resource) || outputs === undefined) return [];
    const inputs = told(resource.inputs) as Readonly<Record<string, unknown>>;
    const hidden = Object.entries(outputs).map(([key, value]) => [key, secret(value)]);
    return [
      {
        ...resource,
        id: 'none',
        inputs,
        outputs: { ...inputs, ...Object.fromEntries(hidden) },
        provider: providers.referenceFor(resource.provider ?? ''),
        dependencies: [],
        propertyDependencies: {},
      },
    ];
  });
}

async function livingObjects(run: RunOnStack): Promise<LivingObject[]> {
  const { stdout } = await run(['stack', 'export', '--show-secrets']);
  const { resources = [] } = (JSON.parse(stdout) as StateFile).deployment;
  return resources
    .filter(isObject)
    .map(({ type, outputs }) => ({ type, outputs: revealed(outputs ?? {}) as LivingObject['outputs'] }));
}

const SECRET_MARK = '4dabf18193072939515e22adb298388d';

/** How states write a secret; the command encrypts it as it takes it in. */
const secret = (value: string) => ({
  [SECRET_MARK]: '1b47061264138c4ac30d75fd1eb44270',
  plaintext: JSON.stringify(value),
});

/** The values behind the marks of secrets, in a state that was exported with them. */
function revealed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== 'object' || value === null) return value;
  if (SECRET_MARK in value && 'plaintext' in value) return JSON.parse(String(value.plaintext));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, revealed(part)]));
}

/** What the engine gives the default provider: the stack's `kubernetes:` settings. */
async function providerInputs(
  run: RunOnStack,
  config: Readonly<Record<string, string>> = {},
): Promise<Record<string, unknown>> {
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!key.startsWith('kubernetes:')) continue;
    const isHidden = value === HIDDEN;
    settings[key.slice('kubernetes:'.length)] = isHidden
      ? secret((await run(['config', 'get', key])).stdout)
      : value;
  }
  return settings;
}

/** The provider that the SDK chooses where the program makes none: `…::pulumi:providers:kubernetes::default_4_34_2`. */
function defaultProvider(urn: string, settings: Readonly<Record<string, unknown>>): Resource {
  const type = urn.split('::').at(-2) ?? '';
  const version = /::default_([\d_]+)$/.exec(urn)?.[1]?.replaceAll('_', '.');
  if (version === undefined)
    throw new Error(
      `The program makes the provider ${urn} itself; only the default provider can take over. Nothing was changed.`,
    );
  const inputs = { ...settings, version };
  return {
    urn,
    custom: true,
    id: randomUUID(),
    type,
    inputs,
    outputs: inputs,
  };
}

function idOf(inputs: Readonly<Record<string, unknown>>): string {
  const { name, namespace } = (inputs.metadata ?? {}) as { name?: string; namespace?: string };
  if (name === undefined)
    throw new Error('The program leaves a name to the cluster, so its object cannot be found.');
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Goes on under the name that the object was made by: the cluster keeps for each field who set it. */
function withFieldManager(resource: Resource): Resource {
  const { managedFields = [] } = (resource.outputs?.metadata ?? {}) as {
    managedFields?: readonly { manager: string; operation: string; time?: string }[];
  };
  const manager = managedFields
    .filter((entry) => entry.manager.startsWith('pulumi-kubernetes') && entry.operation === 'Apply')
    .toSorted((left, right) => String(right.time).localeCompare(String(left.time)))[0]?.manager;
  if (!isObject(resource) || manager === undefined) return resource;
  return { ...resource, outputs: { ...resource.outputs, __fieldManager: manager } };
}

/** @throws Error where something living would go */
function harmless({ steps = [] }: Digest): Record<string, number> {
  const ends = steps.filter(({ op }) => /delete|replace/.test(op));
  if (ends.length > 0)
    throw new Error(
      `The next up would not leave the living objects: ${ends.map(({ op, urn }) => `${op} ${urn.split('::').at(-1)}`).join(', ')}. ` +
        'The state is as it was. Set the configuration to what the instance was made with, then run it again.',
    );
  const changes: Record<string, number> = {};
  for (const { op, newState } of steps) {
    if (op === 'same' || !newState?.custom) continue;
    changes[op] = (changes[op] ?? 0) + 1;
  }
  return changes;
}
