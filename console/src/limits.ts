import { type FleetSize, type InstanceSummary, sizeOf } from '../../automation/fleet/index.ts';
import type { Settings } from '../../stacks/schema.ts';
import type { Allowance, AllowanceKey, Allowances } from './view-types.ts';

/** How much one user may have. What is asked for counts from the moment it is asked for, so that two at once are one too many. */

/** Absent: as much as there is. */
export type Limits = Readonly<Partial<Record<AllowanceKey, number | undefined>>>;

interface Reserved {
  readonly user: string;
  readonly taken: Taken;
}
export type Taken = Readonly<Record<AllowanceKey, number>>;

const KEYS = ['instances', 'cpus', 'memory', 'storage'] as const satisfies readonly AllowanceKey[];
const NOTHING: Taken = { instances: 0, cpus: 0, memory: 0, storage: 0 };

/** A paused instance keeps its volumes alone. */
const takenBy = (size: FleetSize | undefined, isPaused: boolean): Taken => ({
  instances: 1,
  cpus: isPaused ? 0 : (size?.cpuMillis ?? 0) / 1000,
  memory: isPaused ? 0 : (size?.memoryBytes ?? 0),
  storage: size?.storageBytes ?? 0,
});

/** What the settings of an instance take while it runs. */
export const takenBySettings = (settings: Settings): Taken => takenBy(sizeOf(settings), settings.paused);

const plus = (left: Taken, right: Taken): Taken => ({
  instances: left.instances + right.instances,
  cpus: left.cpus + right.cpus,
  memory: left.memory + right.memory,
  storage: left.storage + right.storage,
});

export class UserLimits {
  readonly #limits: Limits;
  readonly #all: () => readonly InstanceSummary[];
  readonly #reserved = new Map<string, Reserved>();

  /** @param all instances that there are, as far as is known */
  constructor(limits: Limits, all: () => readonly InstanceSummary[]) {
    this.#limits = limits;
    this.#all = all;
  }

  /** What a user has, and may have; nothing for what is not limited. */
  allowances(user: string): Allowances {
    return this.#against(this.#takenBut(user, undefined), () => true);
  }

  /** What a user would have too much of with an instance of this size; empty: nothing. */
  over(user: string, name: string, taken: Taken): Allowances {
    return this.#against(plus(this.#takenBut(user, name), taken), (would, allowed) => would > allowed);
  }

  /** Counts it, whatever is listed, until `settled` is called: by then the list has it. */
  reserve(user: string, name: string, taken: Taken): { settled(): void } {
    const reserved = { user, taken };
    this.#reserved.set(name, reserved);
    return {
      settled: () => {
        if (this.#reserved.get(name) === reserved) this.#reserved.delete(name);
      },
    };
  }

  #takenBut(user: string, but: string | undefined): Taken {
    const listed = this.#all()
      .filter(({ name, owner }) => owner === user && name !== but && !this.#reserved.has(name))
      .map(({ size, isPaused }) => takenBy(size, isPaused === true));
    const asked = [...this.#reserved]
      .filter(([name, reserved]) => reserved.user === user && name !== but)
      .map(([, { taken }]) => taken);
    return [...listed, ...asked].reduce(plus, NOTHING);
  }

  #against(taken: Taken, isWanted: (taken: number, allowed: number) => boolean): Allowances {
    const found: Partial<Record<AllowanceKey, Allowance>> = {};
    for (const key of KEYS) {
      const allowed = this.#limits[key];
      if (allowed !== undefined && isWanted(taken[key], allowed)) found[key] = { taken: taken[key], allowed };
    }
    return found;
  }
}
