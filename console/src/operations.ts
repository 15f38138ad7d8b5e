import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { FleetError, type Operation } from '../../automation/fleet/index.ts';
import type { User } from './users.ts';

/** What users have begun here: the last operation of each instance, with its events from the beginning. */

export interface Begun {
  readonly id: string;
  readonly operation: Operation;
  readonly user: User;
  isOver: boolean;
}

/** Operations that are remembered after their end, each with up to 500 events. */
const MAX_ENDED = 100;
const MAX_OF_USER = 12;

export class TooManyError extends Error {
  override readonly name = 'TooManyError';
}

export class Operations {
  readonly #begun = new Map<string, Begun>();
  readonly #onEnd: (begun: Begun, error: Error | undefined) => void;

  constructor(onEnd: (begun: Begun, error: Error | undefined) => void) {
    this.#onEnd = onEnd;
  }

  /**
   * @throws TooManyError where this user has many under way already
   * @throws FleetError `busy` and the like where it was refused at once
   */
  async begin(user: User, make: () => Operation): Promise<Begun> {
    const own = [...this.#begun.values()].filter((one) => !one.isOver && one.user.id === user.id);
    if (own.length >= MAX_OF_USER) throw new TooManyError(`${own.length} operations run`);
    const operation = make();
    const begun: Begun = { id: randomBytes(9).toString('base64url'), operation, user, isOver: false };
    const end = operation.result.then(
      () => undefined,
      (error: Error) => error,
    );
    // What is refused at once was never begun: another one may run, whose events are looked at.
    const early = await Promise.race([end, setImmediate('under way')]);
    if (early instanceof FleetError && early.code === 'busy') throw early;
    this.#begun.delete(operation.stack);
    this.#begun.set(operation.stack, begun);
    this.#forget();
    void end.then((error) => {
      begun.isOver = true;
      this.#onEnd(begun, error);
    });
    return begun;
  }

  of(name: string): Begun | undefined {
    return this.#begun.get(name);
  }

  running(): readonly Begun[] {
    return [...this.#begun.values()].filter(({ isOver }) => !isOver);
  }

  #forget(): void {
    const ended = [...this.#begun].filter(([, { isOver }]) => isOver);
    for (const [name] of ended.slice(0, Math.max(0, ended.length - MAX_ENDED))) this.#begun.delete(name);
  }
}
