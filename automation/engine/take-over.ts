import { randomUUID } from 'node:crypto';
import type { Report } from '../tools/progress.ts';
import { type CommandEnd, CommandFailure } from './command.ts';
import { plainText } from './progress.ts';

/**
 * Living Kubernetes objects into a state that knows none of them. `pulumi import` takes the inputs from the objects, with
 * all that the cluster added to them, so that the next `up` replaces claims and more. Here they are the inputs that the
 * program plans; a refresh then puts the living values in their places, and drops what does not live. Only the state is
 * written. What is no Kubernetes object (a drawn password) and what is secret comes from the next `up`.
 */

/** Runs the command on the stack. @throws CommandFailure */
export type RunOnStack = (
  args: readonly string[],
  changes?: { readonly input?: string; readonly isTakingOver?: boolean },
) => Promise<CommandEnd>;

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
export async function takeOver(run: RunOnStack, report: Report): Promise<TakenOver> {
  const before = await run(['stack', 'export']);
  const state = JSON.parse(before.stdout) as StateFile;
  const known = state.deployment.resources?.filter(isObject) ?? [];
  if (known.length > 0)
    throw new Error(
      `The state knows ${known.length} objects already (${known.slice(0, 3).map(nameOf).join(', ')}, …); only a state without any can take over. Nothing was changed. ` +
        'What is in the cluster comes into a state that knows it with: pulumi refresh',
    );
  report('asking the program what it plans');
  const digest = await preview(run, true);
  const planned = plannedState(digest, await providerInputs(run, digest.config));
  const write = (resources: readonly Resource[]) =>
    run(['stack', 'import'], {
      input: JSON.stringify({ ...state, deployment: { ...state.deployment, resources } }),
    });
  try {
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
    await write(living.map(withFieldManager));
    report('asking what the next up would change');
    return { objects, changes: harmless(await preview(run, false)) };
  } catch (error) {
    await run(['stack', 'import'], { input: before.stdout });
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
function plannedState({ steps = [] }: Digest, settings: Readonly<Record<string, unknown>>): Resource[] {
  const all = steps.flatMap(({ newState }) => (newState === undefined ? [] : [newState]));
  const providers = new Map<string, Resource>();
  const providerOf = (reference: string): string => {
    const urn = reference.slice(0, reference.lastIndexOf('::'));
    const provider = providers.get(urn) ?? defaultProvider(urn, settings);
    providers.set(urn, provider);
    return `${urn}::${provider.id}`;
  };
  const kept = all.filter((resource) => !resource.custom || isObject(resource));
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
      provider: providerOf(provider ?? ''),
      dependencies: only(dependencies),
      propertyDependencies: Object.fromEntries(
        Object.entries(propertyDependencies).map(([key, list]) => [key, only(list)]),
      ),
    };
  });
  const [stack, ...others] = resources;
  return stack === undefined ? [] : [stack, ...providers.values(), ...others];
}

/** How states write a secret; the command encrypts it as it takes it in. */
const secret = (value: string) => ({
  '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270',
  plaintext: JSON.stringify(value),
});

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

/** The provider that the SDK chooses where the program makes none: `…::default_4_34_2`. */
function defaultProvider(urn: string, settings: Readonly<Record<string, unknown>>): Resource {
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
    type: 'pulumi:providers:kubernetes',
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
