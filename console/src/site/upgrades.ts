import {
  type Fleet,
  type Operation,
  type ToUpgrade,
  type UpgradeNews,
  upgrade,
} from '../../../automation/fleet/index.ts';
import type { Operations } from '../operations.ts';
import type { User } from '../users.ts';
import type { UpgradeView } from '../view-types.ts';
import { PlanFile, type UpgradePlan } from './upgrade-plan.ts';

/**
 * Instances to another release, as `npm run instance -- upgrade` does it: one run at a time for the whole site. Its plan is
 * written before each step, so that the next console knows what the last one was about.
 */

type Upgradable = Pick<Fleet, 'saveNow' | 'change' | 'restart' | 'takeUp' | 'operation'>;

export interface UpgradeOrder {
  readonly version: string;
  readonly wave: number;
  readonly instances: readonly ToUpgrade[];
}

export interface UpgradesOptions {
  readonly fleet: Upgradable;
  readonly operations: Operations;
  /** Of the plan, which all consoles on these stacks share. */
  readonly folder: string;
  readonly onNews: () => void;
  readonly onProblem: (error: Error) => void;
}

export class Upgrades {
  readonly #options: UpgradesOptions;
  readonly #file: PlanFile;
  #plan: UpgradePlan | undefined;
  /** Of the run of this process. */
  #abort: AbortController | undefined;
  #run: Promise<unknown> = Promise.resolve();

  constructor(options: UpgradesOptions) {
    this.#options = options;
    this.#file = new PlanFile(options.folder);
    try {
      this.#plan = this.#file.read();
    } catch (error) {
      options.onProblem(error as Error);
    }
  }

  /** The run that is under way, was interrupted, or was the last one. */
  get view(): UpgradeView | undefined {
    if (this.#abort === undefined && this.#plan?.isOver === false) this.#readAgain();
    if (this.#plan === undefined) return undefined;
    const { version, by, isOver, instances } = this.#plan;
    const isStopping = this.#abort?.signal.aborted === true;
    const isInterrupted = !isOver && this.#abort === undefined && this.#isFree();
    return { version, by, isOver, isStopping, isInterrupted, instances };
  }

  /** Resolves when the last run has ended. */
  get ended(): Promise<unknown> {
    return this.#run;
  }

  /** @returns false: one runs already, or was interrupted @throws Error where its plan cannot be written */
  begin(user: User, { version, wave, instances }: UpgradeOrder): boolean {
    if (this.view?.isOver === false) return false;
    const since = new Date().toISOString();
    const left = instances.map(({ name }) => ({ name, state: 'left' as const }));
    return this.#start(
      user,
      { version, wave, by: user.name, since, isOver: false, instances: left },
      instances,
    );
  }

  /**
   * Does the rest of what was interrupted: what was under way first.
   * @param isPaused as it is now; undefined: there is no such instance any more
   * @returns false: nothing was interrupted @throws Error where its plan cannot be written
   */
  continue(user: User, isPaused: (name: string) => boolean | undefined): boolean {
    if (this.view?.isInterrupted !== true || this.#plan === undefined) return false;
    const instances = this.#plan.instances.map((one) =>
      one.state !== 'done' && isPaused(one.name) === undefined
        ? { ...one, state: 'failed' as const, message: 'It is not there any more.' }
        : one,
    );
    const rest = instances.flatMap(({ name, state }): ToUpgrade[] => {
      if (state === 'done' || state === 'failed') return [];
      const now = { name, isPaused: isPaused(name) === true };
      return [state === 'left' ? now : { ...now, interruptedAt: state }];
    });
    const [under, left] = [rest.filter(isUnderWay), rest.filter((one) => !isUnderWay(one))];
    return this.#start(user, { ...this.#plan, instances }, [...under, ...left]);
  }

  /** What has begun is done; nothing else begins. What was interrupted is left as it is. @returns false: not here */
  stop(): boolean {
    const view = this.view;
    if (view?.isInterrupted && this.#plan) this.#keep(ended(this.#plan));
    else if (view?.isOver === false && this.#abort === undefined) return false;
    else this.#abort?.abort();
    this.#options.onNews();
    return true;
  }

  #start(user: User, plan: UpgradePlan, instances: readonly ToUpgrade[]): boolean {
    const release = this.#file.lock();
    if (release === undefined) return false;
    try {
      this.#keep(plan);
    } catch (error) {
      release();
      throw error;
    }
    const controller = new AbortController();
    this.#abort = controller;
    this.#options.onNews();
    const onNews = (news: UpgradeNews) => this.#note(news, controller);
    const { version, wave } = plan;
    const order = { version, wave, onNews, signal: controller.signal };
    this.#run = upgrade(this.#tracked(user), instances, order).finally(() => {
      this.#abort = undefined;
      this.#tryTo(() => this.#keep(ended(this.#plan ?? plan)));
      release();
      this.#options.onNews();
    });
    return true;
  }

  #note({ name, state, message }: UpgradeNews, run: AbortController): void {
    if (this.#plan === undefined) return;
    const now = { name, state, ...(message === undefined ? {} : { message }) };
    const instances = this.#plan.instances.map((one) => (one.name === name ? now : one));
    // What nobody would find again is not begun.
    if (!this.#tryTo(() => this.#keep({ ...(this.#plan as UpgradePlan), instances }))) run.abort();
    this.#options.onNews();
  }

  /** Remembered also where it cannot be written. */
  #keep(plan: UpgradePlan): void {
    this.#plan = plan;
    this.#file.write(plan);
  }

  #tryTo(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      this.#options.onProblem(error as Error);
      return false;
    }
  }

  /** Another console may work on it. */
  #readAgain(): void {
    this.#tryTo(() => {
      this.#plan = this.#file.read();
    });
  }

  #isFree(): boolean {
    const release = this.#file.lock();
    release?.();
    return release !== undefined;
  }

  /** Each step is an operation that its page follows and the audit log knows. */
  #tracked(user: User): Upgradable {
    const { fleet, operations } = this.#options;
    const track = <T extends Operation>(operation: T): T => {
      operations.begin(user, () => operation).catch(() => undefined);
      return operation;
    };
    return {
      saveNow: (name) => track(fleet.saveNow(name)),
      change: (name, changes) => track(fleet.change(name, changes)),
      restart: (name) => track(fleet.restart(name)),
      takeUp: (name) => {
        const operation = fleet.takeUp(name);
        return operation && track(operation);
      },
      operation: (name) => fleet.operation(name),
    };
  }
}

/** What was interrupted and not taken up again is told so. */
const ended = (plan: UpgradePlan): UpgradePlan => ({
  ...plan,
  isOver: true,
  instances: plan.instances.map((one) =>
    one.state === 'left' || one.state === 'done' || one.state === 'failed'
      ? one
      : { ...one, state: 'failed', message: 'It was interrupted there, and not continued.' },
  ),
});

const isUnderWay = ({ interruptedAt }: ToUpgrade) => interruptedAt !== undefined;
