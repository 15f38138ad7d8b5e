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

/** Instances to another release, as `npm run instance -- upgrade` does it: one run at a time for the whole site. */

type Upgradable = Pick<Fleet, 'saveNow' | 'change' | 'restart'>;

export interface UpgradeOrder {
  readonly version: string;
  readonly wave: number;
  readonly instances: readonly ToUpgrade[];
}

export class Upgrades {
  readonly #fleet: Upgradable;
  readonly #operations: Operations;
  readonly #onNews: () => void;
  readonly #abort: { current?: AbortController } = {};
  #view: UpgradeView | undefined;
  #run: Promise<unknown> = Promise.resolve();

  constructor(fleet: Upgradable, operations: Operations, onNews: () => void) {
    this.#fleet = fleet;
    this.#operations = operations;
    this.#onNews = onNews;
  }

  /** The run that is under way, or the last one of this process. */
  get view(): UpgradeView | undefined {
    return this.#view;
  }

  /** Resolves when the last run has ended. */
  get ended(): Promise<unknown> {
    return this.#run;
  }

  /** @returns false: one runs already */
  begin(user: User, { version, wave, instances }: UpgradeOrder): boolean {
    if (this.#view?.isOver === false) return false;
    const controller = new AbortController();
    this.#abort.current = controller;
    const states = new Map<string, UpgradeNews>();
    const show = (isOver: boolean) => {
      this.#view = {
        version,
        by: user.name,
        isOver,
        isStopping: controller.signal.aborted,
        instances: instances.map(({ name }) => {
          const { state = 'left', message } = states.get(name) ?? {};
          return { name, state, ...(message === undefined ? {} : { message }) };
        }),
      };
      this.#onNews();
    };
    show(false);
    this.#abort.current.signal.addEventListener('abort', () => show(false));
    const onNews = (news: UpgradeNews) => {
      states.set(news.name, news);
      show(false);
    };
    this.#run = upgrade(this.#tracked(user), instances, {
      version,
      wave,
      onNews,
      signal: controller.signal,
    }).finally(() => show(true));
    return true;
  }

  /** What has begun is done; nothing else begins. */
  stop(): void {
    if (this.#view?.isOver === false) this.#abort.current?.abort();
  }

  /** Each step is an operation that its page follows and the audit log knows. */
  #tracked(user: User): Upgradable {
    const track = <T extends Operation>(operation: T): T => {
      this.#operations.begin(user, () => operation).catch(() => undefined);
      return operation;
    };
    return {
      saveNow: (name) => track(this.#fleet.saveNow(name)),
      change: (name, changes) => track(this.#fleet.change(name, changes)),
      restart: (name) => track(this.#fleet.restart(name)),
    };
  }
}
