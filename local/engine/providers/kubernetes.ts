import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { changedPaths } from '../diff.ts';
import { EngineError, type ResourceAnswer, type ResourceRequest } from '../protocol.ts';
import type { ResourceState } from '../state.ts';
import { isProperties, type Properties, reveal, Secret, type Value } from '../values.ts';
import { immutableChanges, type MutableKinds, sameIdentity } from './immutable.ts';
import { type KubectlSettings, runKubectl } from './kubectl.ts';
import { idOf, isKubernetesObject, metadataOf, withName, withSecretData } from './kubernetes-names.ts';
import {
  AlreadyExistsError,
  type CreateOperation,
  type Difference,
  type Operation,
  type Provider,
} from './provider.ts';
import { isAwaited, type LiveObject, pick, podProblems, readiness } from './readiness.ts';

export interface KubernetesSettings {
  readonly kubectl: KubectlSettings;
  /** Owner of the fields that are applied; names the stack, so that one stack never takes over another's objects. */
  readonly fieldManager: string;
  /** For objects that name no namespace; default that of the kubeconfig. */
  readonly namespace?: string;
  readonly mutable: MutableKinds;
  /** Milliseconds between two looks at an object that is not ready; grows up to eight times. Default 500. */
  readonly pollMilliseconds?: number;
}

const DEFAULT_TIMEOUT_SECONDS = 600;
const NOT_FOUND_RETRIES = 5;

type Answer = ResourceAnswer & { readonly id: string };

/**
 * Kubernetes objects by kubectl: server-side apply, readiness, foreground deletion. Creating an object that exists is
 * refused (`AlreadyExists`), as in pulumi-kubernetes ≥ 4.29. The check and the apply are two requests.
 */
export class KubernetesProvider implements Provider {
  readonly #settings: KubernetesSettings;

  constructor(settings: KubernetesSettings) {
    this.#settings = settings;
  }

  check(request: ResourceRequest, old: ResourceState | undefined): Properties {
    if (!isKubernetesObject(request.type, request.inputs)) {
      throw new EngineError(
        `${request.type} is not a Kubernetes object with apiVersion and kind; charts, files and kustomizations are not part of the embedded engine. Use the Pulumi CLI for it.`,
      );
    }
    if (String(request.inputs.kind).endsWith('Patch') || /Patch$|List$/.test(request.type)) {
      throw new EngineError(`${request.type}: patches and lists are not part of the embedded engine.`);
    }
    const earlier = old && metadataOf(old.inputs).name;
    const wasDrawn = old && isDrawnName(old.inputs);
    const given = metadataOf(request.inputs).name !== undefined;
    const named = given
      ? request.inputs
      : withDrawnName(
          wasDrawn && earlier !== undefined
            ? { ...request.inputs, metadata: { ...metadataOf(request.inputs), name: earlier } }
            : withName(request.inputs, request.name, randomUUID()),
        );
    return withSecretData(named);
  }

  diff(old: ResourceState, inputs: Properties): Difference {
    const changed = changedPaths(old.inputs, inputs);
    const replace = immutableChanges(inputs, changed, this.#settings.mutable);
    return { changed, replace, deleteFirst: !isDrawnName(inputs) && sameIdentity(old.inputs, inputs) };
  }

  preview(_type: string, inputs: Properties): Properties {
    return inputs;
  }

  async create(_type: string, inputs: Properties, operation: CreateOperation): Promise<Answer> {
    const existing = await this.#get(inputs);
    if (existing && !(operation.resumed && this.#isOurs(existing))) {
      throw new AlreadyExistsError(
        `${describe(inputs)} exists in the cluster and is not part of this stack (AlreadyExists). Expected: no such object. Remove it, or give this one another name${inputs.kind === 'Namespace' ? '; another stack may own the namespace' : ''}.`,
      );
    }
    const live = await this.#apply(inputs);
    await operation.onExists(this.#answer(inputs, live));
    return this.#answer(inputs, await this.#awaitReady(inputs, live, operation));
  }

  async update(_old: ResourceState, inputs: Properties, operation: Operation): Promise<Answer> {
    const live = await this.#apply(inputs);
    return this.#answer(inputs, await this.#awaitReady(inputs, live, operation));
  }

  async delete(old: ResourceState, operation: Operation): Promise<void> {
    if (old.pending === 'create') {
      const live = await this.#get(old.inputs);
      if (!live || !this.#isOurs(live)) return;
    }
    const seconds = operation.timeoutSeconds ?? annotatedTimeout(old.inputs) ?? DEFAULT_TIMEOUT_SECONDS;
    const policy = String(
      annotation(old.inputs, 'pulumi.com/deletionPropagationPolicy') ?? 'foreground',
    ).toLowerCase();
    const waits = !(skipsAwait(old.inputs) && SKIPS_DELETE_WAIT.has(String(old.inputs.kind)));
    const started = Date.now();
    const result = await this.#run(
      [
        'delete',
        '-f',
        '-',
        '--ignore-not-found',
        `--cascade=${policy}`,
        `--wait=${waits}`,
        `--timeout=${Math.ceil(seconds)}s`,
      ],
      identity(old.inputs),
      operation.signal,
    );
    if (result.code === 0 || isNotFound(result.stderr)) return;
    const timedOut = /timed out waiting/i.test(result.stderr);
    const took = Math.round((Date.now() - started) / 1000);
    throw new EngineError(
      timedOut
        ? `${describe(old.inputs)} was still there ${took} s after its deletion (limit ${seconds} s). It goes on ending; finalizers may hold it. Look at it with kubectl, then run the same command again.`
        : `${describe(old.inputs)} could not be deleted: ${oneLine(result.stderr)}`,
    );
  }

  #answer(inputs: Properties, live: LiveObject): Answer {
    const { managedFields: _, ...metadata } = (live.metadata ?? {}) as Properties;
    const object = withSecretData({ ...(live as Properties), metadata });
    return { id: idOf(object), outputs: markSecrets(inputs, object) };
  }

  #isOurs(live: LiveObject): boolean {
    const fields = pick(live, 'metadata.managedFields');
    return Array.isArray(fields) && fields.some((entry) => entry?.manager === this.#settings.fieldManager);
  }

  #run(args: readonly string[], object: LiveObject | Properties, signal?: AbortSignal) {
    const namespace = this.#settings.namespace;
    const needsNamespace = namespace !== undefined && pick(object, 'metadata.namespace') === undefined;
    const scope = needsNamespace ? [`--namespace=${namespace}`] : [];
    return runKubectl(this.#settings.kubectl, [...scope, ...args], JSON.stringify(object), signal);
  }

  async #get(inputs: Properties): Promise<LiveObject | undefined> {
    const result = await this.#run(
      ['get', '-f', '-', '-o', 'json', '--ignore-not-found', '--show-managed-fields'],
      identity(inputs),
    );
    if (result.code === 0) return onlyItem(result.stdout);
    // Its kind or its namespace does not exist yet; the apply says so where that is a mistake.
    if (isNotFound(result.stderr)) return undefined;
    throw new EngineError(`${describe(inputs)} could not be looked up: ${oneLine(result.stderr)}`);
  }

  /**
   * With a mark of the stack. An object without any field beside its name would else have no owner of fields, and
   * an interrupted creation of it could not be told from someone else's.
   */
  #owned(object: LiveObject): LiveObject {
    const metadata = (object.metadata ?? {}) as LiveObject;
    const annotations = {
      ...(metadata.annotations as LiveObject | undefined),
      [OWNER]: this.#settings.fieldManager,
    };
    return { ...object, metadata: { ...metadata, annotations } };
  }

  async #apply(inputs: Properties): Promise<LiveObject> {
    const force = annotation(inputs, 'pulumi.com/patchForce') === 'true' ? ['--force-conflicts'] : [];
    const args = ['apply', '--server-side', `--field-manager=${this.#settings.fieldManager}`, ...force];
    const object = this.#owned(reveal(inputs) as LiveObject);
    for (let attempt = 1; ; attempt++) {
      const result = await this.#run([...args, '-f', '-', '-o', 'json'], object);
      if (result.code === 0) return JSON.parse(result.stdout);
      if (/conflict/i.test(result.stderr)) {
        const fields = [...result.stderr.matchAll(/conflicts? with .*|^- .*/gm)].map(([line]) => line.trim());
        throw new EngineError(
          `${describe(inputs)} could not be applied: others have changed it (${fields.join(' ')}). Take their change back, or let this one win by the annotation pulumi.com/patchForce: "true".`,
        );
      }
      if (!isNotFound(result.stderr) || attempt >= NOT_FOUND_RETRIES) {
        throw new EngineError(
          `${describe(inputs)} could not be applied: ${withoutSecrets(inputs, oneLine(result.stderr))}`,
        );
      }
      await sleep((this.#settings.pollMilliseconds ?? 500) * attempt);
    }
  }

  async #awaitReady(inputs: Properties, live: LiveObject, operation: Operation): Promise<LiveObject> {
    if (skipsAwait(inputs) || !isAwaited(live)) return live;
    const seconds = operation.timeoutSeconds ?? annotatedTimeout(inputs) ?? DEFAULT_TIMEOUT_SECONDS;
    const end = Date.now() + seconds * 1000;
    const pause = this.#settings.pollMilliseconds ?? 500;
    const bindsLate = live.kind === 'PersistentVolumeClaim' && (await this.#bindsLate(live));
    let current = live;
    for (let round = 0; ; round++) {
      const state = readiness(current, { bindsLate });
      if (state.state === 'ready') return current;
      const problems = state.state === 'failed' || round % 4 === 3 ? await this.#problems(current) : [];
      const why = [state.why, ...problems].join('; ');
      if (state.state === 'failed') throw new EngineError(`${describe(inputs)} failed: ${why}`);
      if (Date.now() > end) {
        const reasons = [state.why, ...(await this.#problems(current))].join('; ');
        throw new EngineError(
          `${describe(inputs)} exists but was not ready within ${seconds} s: ${reasons}. When the cause is gone, run the same command again.`,
        );
      }
      operation.report(why);
      await sleep(Math.min(pause * 2 ** Math.min(round, 3), Math.max(end - Date.now(), 1)), undefined, {
        ...(operation.signal ? { signal: operation.signal } : {}),
      });
      const next = await this.#get(inputs);
      if (!next) throw new EngineError(`${describe(inputs)} disappeared while it was awaited.`);
      current = next;
    }
  }

  async #bindsLate(claim: LiveObject): Promise<boolean> {
    const result = await runKubectl(this.#settings.kubectl, ['get', 'storageclasses', '-o', 'json']);
    if (result.code !== 0) return false;
    const wanted = pick(claim, 'spec.storageClassName');
    const classes = (JSON.parse(result.stdout).items ?? []) as LiveObject[];
    const found = classes.find((entry) =>
      wanted === undefined
        ? pick(entry, 'metadata.annotations') !== undefined &&
          (pick(entry, 'metadata.annotations') as LiveObject)[
            'storageclass.kubernetes.io/is-default-class'
          ] === 'true'
        : pick(entry, 'metadata.name') === wanted,
    );
    return found?.volumeBindingMode === 'WaitForFirstConsumer';
  }

  /** What holds up the pods of a workload. */
  async #problems(workload: LiveObject): Promise<string[]> {
    const labels = pick(workload, 'spec.selector.matchLabels');
    if (typeof labels !== 'object' || labels === null) return [];
    const selector = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
    const result = await runKubectl(this.#settings.kubectl, [
      `--namespace=${String(pick(workload, 'metadata.namespace') ?? 'default')}`,
      ...['get', 'pods', '-o', 'json', `--selector=${selector.join(',')}`],
    ]);
    return result.code === 0 ? podProblems(JSON.parse(result.stdout).items ?? []) : [];
  }
}

/** Kinds on whose deletion `skipAwait` skips the wait as well, in pulumi-kubernetes. */
const SKIPS_DELETE_WAIT = new Set(['Namespace', 'Pod', 'Deployment', 'StatefulSet', 'Job', 'DaemonSet']);
const OWNER = 'embedded-engine/owner';
const DRAWN_NAME = 'pulumi.com/autonamed';

function withDrawnName(object: Properties): Properties {
  const metadata = metadataOf(object);
  const annotations = isProperties(metadata.annotations) ? metadata.annotations : {};
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [DRAWN_NAME]: 'true' } } };
}

function isDrawnName(object: Properties): boolean {
  return annotation(object, DRAWN_NAME) === 'true';
}

function annotation(object: Properties, key: string): Value | undefined {
  const annotations = metadataOf(object).annotations;
  return isProperties(annotations) ? annotations[key] : undefined;
}

function skipsAwait(object: Properties): boolean {
  return annotation(object, 'pulumi.com/skipAwait') === 'true';
}

function annotatedTimeout(object: Properties): number | undefined {
  const seconds = Number(annotation(object, 'pulumi.com/timeoutSeconds') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** What `kubectl get -f` prints for one object: the object, a list of it, an empty list, or nothing. */
function onlyItem(output: string): LiveObject | undefined {
  if (output.trim() === '') return undefined;
  const object = JSON.parse(output) as LiveObject;
  return object.kind === 'List' ? (object.items as LiveObject[])[0] : object;
}

/** What kubectl needs to find the object. */
function identity(inputs: Properties): LiveObject {
  const { name, namespace } = metadataOf(inputs);
  return {
    apiVersion: inputs.apiVersion,
    kind: inputs.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  };
}

/** `StatefulSet demo/scipion`. */
function describe(inputs: Properties): string {
  return `${String(inputs.kind)} ${idOf(inputs)}`;
}

function isNotFound(text: string): boolean {
  return /\(NotFound\)|no matches for kind/i.test(text);
}

function oneLine(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .slice(0, 2000);
}

/** Server messages may quote what they refuse; secret values are taken out. */
function withoutSecrets(inputs: Properties, text: string): string {
  const values = collectSecrets(inputs).filter((value) => value.length > 3);
  return values.reduce((clean, value) => clean.replaceAll(value, '<secret>'), text);
}

function collectSecrets(value: Value): string[] {
  if (value instanceof Secret) {
    const plain = reveal(value.value);
    return [plain, ...(typeof plain === 'object' && plain !== null ? Object.values(plain) : [])]
      .filter((part): part is string => typeof part === 'string')
      .flatMap((part) => [part, Buffer.from(part).toString('base64')]);
  }
  if (Array.isArray(value)) return value.flatMap(collectSecrets);
  return isProperties(value) ? Object.values(value).flatMap(collectSecrets) : [];
}

/** The outputs with what is secret in the inputs marked. */
function markSecrets(inputs: Properties, outputs: Properties): Properties {
  return mark(inputs, outputs) as Properties;
}

function mark(input: Value | undefined, output: Value): Value {
  if (input instanceof Secret) return new Secret(output);
  if (isProperties(input) && isProperties(output)) {
    return Object.fromEntries(Object.entries(output).map(([key, value]) => [key, mark(input[key], value)]));
  }
  if (Array.isArray(input) && Array.isArray(output))
    return output.map((value, index) => mark(input[index], value));
  return output;
}
