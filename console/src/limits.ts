import { type FleetSize, type InstanceSummary, sizeOf } from '../../automation/fleet/index.ts';
import type { Settings } from '../../stacks/schema.ts';
import type { Allowance, AllowanceKey, Allowances } from './view-types.ts';

/** How much one user may have. What is asked for counts from the moment it is asked for, so that two at once are one too many. */

/** Absent: as much as there is. */
export type Limits = Readonly<Partial<Record<AllowanceKey, number | undefined>>>;

interface Reserved {
  readonly user: string;
  readonly name: string;
  readonly taken: Taken;
}
export type Taken = Readonly<Record<AllowanceKey, number>>;

const KEYS = ['instances', 'cpus', 'memory', 'storage'] as const satisfies readonly AllowanceKey[];
const NOTHING: Taken = { instances: 0, cpus: 0, memory: 0, storage: 0 };

/** A paused instance keeps its volumes alone. */
export const takenBy = (size: FleetSize | undefined, isPaused: boolean): Taken => ({
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
  /** In the order in which it was asked for. */
  readonly #reserved = new Set<Reserved>();

  /** @param all instances that there are, as far as is known */
  constructor(limits: Limits, all: () => readonly InstanceSummary[]) {
    this.#limits = limits;
    this.#all = all;
  }

  /** What a user has, and may have; nothing for what is not limited. */
  allowances(user: string): Allowances {
    return this.#against(this.#takenBut(user, undefined), () => true);
  }

  /** What a user would have with an instance of this size; nothing for what is not limited. */
  would(user: string, name: string, taken: Taken): Allowances {
    return this.#against(plus(this.#takenBut(user, name), taken), () => true);
  }

  /** What a user would have too much of with an instance of this size; empty: nothing. */
  over(user: string, name: string, taken: Taken): Allowances {
    return this.#against(plus(this.#takenBut(user, name), taken), (would, allowed) => would > allowed);
  }

  /** Counts it, whatever is listed, until what is returned is called: by then the list has it. */
  reserve(user: string, name: string, taken: Taken): () => void {
    const reserved = { user, name, taken };
    this.#reserved.add(reserved);
    return () => void this.#reserved.delete(reserved);
  }

  #takenBut(user: string, but: string | undefined): Taken {
    // Of two for one instance the later one counts, and the earlier one where that is refused.
    const asked = new Map([...this.#reserved].map((reserved) => [reserved.name, reserved]));
    const isOther = (name: string, owner: string | undefined) => owner === user && name !== but;
    const sizes = [
      ...this.#all()
        .filter(({ name, owner }) => isOther(name, owner) && !asked.has(name))
        .map(({ size, isPaused }) => takenBy(size, isPaused === true)),
      ...[...asked.values()].filter((one) => isOther(one.name, one.user)).map(({ taken }) => taken),
    ];
    return sizes.reduce(plus, NOTHING);
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
