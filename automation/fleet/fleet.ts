import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { InstanceCluster } from '../../components/cluster-client.ts';
import { NAMES, publicOrigin } from '../../components/names.ts';
import type { Notice } from '../../sidecar/contract/activity.ts';
import { makeOpeningCode, openingAddress, openingKeyOf } from '../../sidecar/contract/opening-code.ts';
import { GATEWAY_SECRET_KEYS } from '../../sidecar/contract/paths.ts';
import { REMOVING_VARIABLE } from '../../stacks/environment.ts';
import { PREFIX } from '../../stacks/judge.ts';
import type { Settings } from '../../stacks/schema.ts';
import { InterruptedError } from '../engine/index.ts';
import { type Run, recover, runEngine } from './engine-run.ts';
import {
  type ChangeResult,
  type Door,
  EXPIRES_KEY,
  type InstanceSpec,
  type InstanceSummary,
  OWNER_KEY,
  type RemoveOptions,
  type UpResult,
} from './instances.ts';
import type { OperationKind } from './kinds.ts';
import { type LiveState, readLive, runSync } from './live.ts';
import { FleetError, Operation } from './operation.ts';
import { describeRecord, type FoundRecord, isEngineAlive } from './records.ts';
import {
  changesOfKeys,
  isReal,
  judged,
  prefixed,
  type StackValues,
  type Tokens,
  withChanges,
} from './settings.ts';
import { Summaries, type SummarySettings, unknown } from './summaries.ts';

/** The one module that makes, changes, lists and removes instances: one stack each, of one program, by Pulumi itself. */

export interface FleetSettings extends SummarySettings {
  /** Operations that run at a time; others wait their turn. Each takes a processor for its start. @default 4 */
  readonly atOnce?: number;
}

/** Names of stacks that are also names of namespaces and of files. */
export const INSTANCE_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const RESTART_POLL_MS = 2_000;

export class Fleet {
  readonly #settings: FleetSettings;
  readonly #summaries: Summaries;
  readonly #turn: ReturnType<typeof pLimit>;

  constructor(settings: FleetSettings) {
    this.#settings = settings;
    this.#summaries = new Summaries(settings);
    this.#turn = pLimit(settings.atOnce ?? 4);
  }

  /**
   * Everything of a new instance. Where a creation of this name was killed, it is done with these answers from where it
   * stood. @throws FleetError `settings` with all problems, `exists`
   */
  create(name: string, spec: InstanceSpec): Operation<UpResult> {
    return this.#start(
      name,
      'create',
      async (run) => {
        const { project } = this.#settings;
        const found = await this.values(name);
        judged(withChanges(name, found, spec));
        const isThere = (await project.list()).some((stack) => stack.name === name);
        const { record } = run.held.previous ?? {};
        const owner = found.others[OWNER_KEY] ?? record?.owner;
        const isOfAnother = owner !== undefined && spec.owner !== undefined && owner !== spec.owner;
        if (isOfAnother || (isThere && record?.kind !== 'create'))
          throw new FleetError('exists', `There is an instance ${name} already; nothing was changed.`, {
            advice: `See it: npm run instance -- status ${name}`,
          });
        run.held.update({ stage: 'settings' });
        if (!isThere) await project.create(name);
        await project.set(name, {
          plain: {
            ...prefixed(spec.settings),
            ...spec.others,
            ...(spec.owner === undefined ? {} : { [OWNER_KEY]: spec.owner }),
          },
          secret: prefixed(spec.secrets),
        });
        return this.#up(name, run);
      },
      spec.owner,
    );
  }

  change(name: string, changes: Partial<InstanceSpec>): Operation<ChangeResult> {
    return this.#start(name, 'change', (run) => this.#change(name, changes, run));
  }

  /** New tokens are used without a restart. */
  rotateTokens(name: string, secrets: Tokens): Operation<ChangeResult> {
    return this.#start(name, 'token', (run) => this.#change(name, { secrets }, run));
  }

  /** Saves, then stops the pod; both volumes stay. */
  pause(name: string): Operation<ChangeResult> {
    return this.#start(name, 'pause', (run) => this.#change(name, { settings: { paused: 'true' } }, run));
  }

  /**
   * As `pause`, after a save that succeeded.
   * @param isWanted throws FleetError where it is not, asked when its turn has come and once more after the save
   */
  pauseSaved(name: string, isWanted: () => Promise<void>): Operation<ChangeResult> {
    return this.#start(name, 'pause', async (run) => {
      await isWanted();
      await this.#save(name, run);
      await isWanted();
      return this.#change(name, { settings: { paused: 'true' } }, run);
    });
  }

  /** The desktop runs again, and what was begun on the instance and did not end is done. */
  resume(name: string): Operation<ChangeResult> {
    return this.#start(name, 'resume', (run) => {
      const previous = run.held.previous?.record;
      if (previous?.kind === 'create' && previous.stage === 'settings')
        throw new FleetError(
          'interrupted',
          `The creation of ${name} was killed before all its settings were written. They must be given again.`,
          { advice: `Give them: npm run instance -- new ${name}` },
        );
      return this.#change(name, { settings: { paused: 'false', discardUnsavedChanges: 'false' } }, run);
    });
  }

  /**
   * Does what was begun and did not end, whatever it was. Work that was given up is not given up again: that must be
   * asked for. undefined: nothing was left undone.
   */
  takeUp(name: string): Operation | undefined {
    const found = this.#settings.records.find(name);
    switch (found?.record.kind) {
      case undefined:
        return undefined;
      case 'create':
      case 'resume':
        return this.resume(name);
      case 'change':
      case 'token':
        return this.change(name, {});
      case 'pause':
        return this.pause(name);
      case 'restart':
        return this.restart(name);
      case 'save':
        return this.saveNow(name);
      case 'remove':
        return this.remove(name);
    }
  }

  /** Saves, ends the pod and waits for the next one, which has what has changed. */
  restart(name: string): Operation<{ readonly seconds: number }> {
    return this.#start(name, 'restart', async ({ emit, held }) => {
      const { cluster, settings } = await this.#living(name);
      const { namespace } = settings;
      const began = Date.now();
      const before = (await cluster.pod(namespace, NAMES.pod))?.metadata?.uid;
      if (before === undefined)
        throw new FleetError('failed', `${name} has no pod that could be restarted.`, SEE(name));
      held.update({ stage: 'cluster' });
      await cluster.restartPod(namespace, NAMES.pod);
      const end = began + (settings.finalSaveGrace + 600) * 1000;
      for (let told = ''; Date.now() < end; await sleep(RESTART_POLL_MS)) {
        const pod = await cluster.pod(namespace, NAMES.pod);
        const live = await readLive(() => cluster, namespace, true);
        const isNew = pod !== undefined && pod.metadata?.uid !== before;
        if (isNew && live.phase === 'running') return { seconds: Math.round((Date.now() - began) / 1000) };
        const text = isNew
          ? `the new pod starts (${live.reason ?? live.phase})`
          : 'the pod saves its work and ends';
        if (text !== told) emit({ event: 'said', text });
        told = text;
      }
      throw new FleetError('failed', `${name} did not start again in time. Nothing is lost.`, SEE(name));
    });
  }

  saveNow(name: string): Operation<unknown> {
    return this.#start(name, 'save', async (run) => {
      run.held.update({ stage: 'cluster' });
      return this.#save(name, run);
    });
  }

  async #save(name: string, { emit }: Run): Promise<unknown> {
    const { cluster, settings } = await this.#living(name);
    const run = await runSync(cluster, settings.namespace, ['save', '--json']);
    if (run.said !== '' && run.code === 0 && !run.said.startsWith('it ended'))
      emit({ event: 'warning', text: run.said });
    if (run.code === 0) return JSON.parse(run.lines.at(-1) ?? '{}') as unknown;
    throw new FleetError('failed', `${name} was not saved: ${run.said}.`, SEE(name));
  }

  /** Saves the project to its space, then removes everything of the instance. Nothing is removed where the save fails. */
  remove(name: string, options: RemoveOptions = {}): Operation<UpResult> {
    return this.#start(name, 'remove', async (run) => {
      const { project } = this.#settings;
      await this.#assertThere(name);
      run.held.update({ stage: 'settings' });
      const discard = { [`${PREFIX}discardUnsavedChanges`]: String(options.discardUnsavedChanges === true) };
      // A removal that was asked for without it must not find it from an earlier one.
      const { values } = await this.values(name);
      if (options.discardUnsavedChanges || values.discardUnsavedChanges === 'true')
        await project.set(name, { plain: discard });
      const environment = { [REMOVING_VARIABLE]: 'true' };
      const result = await runEngine(this.#settings.project, name, run, 'destroy', { environment });
      if (!options.keepSettings) await project.forget(name);
      return result;
    });
  }

  /**
   * Forgets an operation that was killed or failed, and leaves instance and settings as they are.
   * @throws FleetError `busy`
   */
  async giveUp(name: string): Promise<FoundRecord | undefined> {
    const found = this.#settings.records.find(name);
    if (found === undefined) return undefined;
    const held = this.#settings.records.begin(name, found.record.kind);
    try {
      if (isEngineAlive(found.record))
        throw new FleetError(
          'busy',
          `The engine of ${describeRecord(found.record)} still works on ${name} (process ${found.record.engine?.pid}). Wait until it has ended.`,
        );
    } catch (error) {
      held.end((error as Error).message);
      throw error;
    }
    held.end();
    return found;
  }

  list(options: { readonly live?: boolean } = {}): Promise<readonly InstanceSummary[]> {
    return this.#summaries.list(options.live === true);
  }

  /** @throws FleetError `unknown` */
  status(name: string): Promise<InstanceSummary> {
    return this.#summaries.status(name);
  }

  /** What runs on it, failed, or was killed. */
  operation(name: string): FoundRecord | undefined {
    return this.#settings.records.find(name);
  }

  /** What the cluster and its `sync` say now; no engine is asked. */
  live(name: string): Promise<LiveState> {
    return this.#summaries.live(name);
  }

  /** The settings of an instance; of one that is not there, what the site says for all. */
  values(name: string): Promise<StackValues> {
    return this.#summaries.values(name);
  }

  /** Where its desktop is, and by what it opens. */
  async door(name: string): Promise<Door> {
    await this.#assertThere(name);
    const { url, desktopPassword } = await this.#settings.project.outputs(name);
    // One is drawn in any case; where nobody is asked for it, it opens nothing.
    const { passwordLogin } = (await this.values(name)).values;
    return {
      ...(typeof url === 'string' ? { url } : {}),
      ...(typeof desktopPassword === 'string' && passwordLogin !== 'false'
        ? { password: desktopPassword }
        : {}),
    };
  }

  /**
   * Where a browser is signed in, once and within a minute; the address is a secret for so long.
   * @param user as its log will call them; undefined: the gateway's key cannot be read
   */
  async openingAddress(name: string, user: string): Promise<string | undefined> {
    const { cluster, settings } = await this.#living(name);
    const { namespace, domain, publicPort } = settings;
    const secret = await cluster.secretValue(namespace, NAMES.gatewaySecret, GATEWAY_SECRET_KEYS.sessionKey);
    if (secret === undefined) return undefined;
    const origin = publicOrigin(namespace, domain, publicPort);
    return openingAddress(origin, await makeOpeningCode({ key: openingKeyOf(secret), origin, user }));
  }

  /** What its pages say of a pause to come; null: of none. @throws FleetError where it cannot be told */
  async announce(name: string, notice: Notice | null): Promise<void> {
    const { cluster, settings } = await this.#living(name);
    const given = notice === null ? [] : ['--pauses-at', notice.at, '--why', notice.why];
    const { code, said } = await runSync(cluster, settings.namespace, ['notice', '--json', ...given]);
    if (code !== 0) throw new FleetError('failed', `${name} could not be told of its pause: ${said}.`);
  }

  /** When its time ends; undefined: never. Nothing of the instance changes. @throws FleetError `busy`, `interrupted` */
  setExpiry(name: string, end: Date | undefined): Operation<unknown> {
    return this.#start(name, 'change', async ({ held }) => {
      await this.#assertThere(name);
      if (held.previous !== undefined)
        throw new FleetError(
          'interrupted',
          `${describeRecord(held.previous.record)} was left undone on ${name}.`,
        );
      await this.#settings.project.set(name, { plain: { [EXPIRES_KEY]: end?.toISOString() ?? '' } });
    });
  }

  /** No operation begins on it before this has ended. @throws FleetError `busy` */
  async undisturbed<T>(name: string, work: () => Promise<T>): Promise<T> {
    const release = this.#settings.records.hold(name);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** For what only looks. */
  async cluster(name: string): Promise<{ readonly cluster: InstanceCluster; readonly namespace: string }> {
    const { cluster, settings } = await this.#living(name);
    return { cluster, namespace: settings.namespace };
  }

  async #living(name: string): Promise<{ cluster: InstanceCluster; settings: Settings }> {
    await this.#assertThere(name);
    const found = await this.values(name);
    return { cluster: this.#summaries.open(found), settings: judged(withChanges(name, found, {})) };
  }

  async #assertThere(name: string): Promise<void> {
    if (!(await this.#settings.project.list()).some((stack) => stack.name === name)) throw unknown(name);
  }

  /** The lock first, then the turn: of two that ask for the same one is told at once. */
  #start<T>(name: string, kind: OperationKind, work: (run: Run) => Promise<T>, owner?: string): Operation<T> {
    return new Operation(name, kind, async (emit) => {
      if (!INSTANCE_NAME.test(name))
        throw new FleetError(
          'settings',
          `Found ${JSON.stringify(name.slice(0, 80))}, expected the name of an instance: up to 63 of a-z, 0-9 and "-", not at the ends.`,
        );
      const held = this.#settings.records.begin(name, kind, owner);
      try {
        const before = this.#turn.activeCount + this.#turn.pendingCount;
        if (this.#turn.activeCount >= this.#turn.concurrency)
          emit({ event: 'waiting', text: `${before} other operations are before this one` });
        const result = await this.#turn(async () => {
          emit({ event: 'begun' });
          await recover(name, { emit, held });
          return work({ emit, held });
        });
        held.end();
        return result;
      } catch (error) {
        const isStopped = error instanceof InterruptedError;
        const what = isStopped ? `${error.message} Nothing that was saved is lost.` : '';
        const told = isStopped ? new FleetError('stopped', what, GO_ON(name)) : error;
        held.end((told as Error).message);
        throw told;
      }
    });
  }

  async #change(
    name: string,
    { settings = {}, secrets = {}, others = {} }: Partial<InstanceSpec>,
    run: Run,
  ): Promise<ChangeResult> {
    await this.#assertThere(name);
    const found = await this.values(name);
    judged(withChanges(name, found, { settings, secrets }));
    const real = Object.entries(settings).filter(([key, value]) => isReal(key, found.values[key], value));
    const keys = changesOfKeys(name, found.values, Object.fromEntries(real));
    run.held.update({ stage: 'settings' });
    const plain = { ...prefixed(Object.fromEntries(real)), ...others };
    await this.#settings.project.set(name, { plain, secret: prefixed(secrets) });
    return { ...(await this.#up(name, run)), keys };
  }

  async #up(name: string, run: Run): Promise<UpResult> {
    const result = await runEngine(this.#settings.project, name, run, 'up');
    const { url } = await this.#settings.project.outputs(name);
    return typeof url === 'string' ? { ...result, url } : result;
  }
}

const SEE = (name: string) => ({ advice: `See what it waits for: npm run instance -- status ${name}` });
const GO_ON = (name: string) => ({
  advice: `To continue: npm run instance -- resume ${name}; to remove it: npm run instance -- remove ${name}`,
});
