import type { Fleet } from './fleet.ts';

/** Another release for many instances: one first, then waves, and no further after the first that fails. */

export interface UpgradeNews {
  readonly name: string;
  readonly state: 'saves' | 'changes' | 'restarts' | 'done' | 'failed';
  /** Why it failed. */
  readonly message?: string;
}

export interface UpgradeResult {
  readonly done: readonly string[];
  readonly failed: readonly { readonly name: string; readonly message: string }[];
  /** Not begun, and as they were. */
  readonly left: readonly string[];
}

export interface UpgradeOptions {
  readonly version: string;
  /** Instances at a time, after the first one. @default 5 */
  readonly wave?: number;
  readonly onNews?: (news: UpgradeNews) => void;
  /** No further wave begins after it. */
  readonly signal?: AbortSignal;
}

export interface ToUpgrade {
  readonly name: string;
  /** It takes the release when it goes on. */
  readonly isPaused?: boolean;
  /** What an earlier run was about when its process ended. */
  readonly interruptedAt?: 'saves' | 'changes' | 'restarts';
}

/** What each step is for the fleet. */
const KINDS = { saves: 'save', changes: 'change', restarts: 'restart' } as const;

/**
 * Does a step that was interrupted.
 * @returns whether nothing else of the instance is left to do
 * @throws Error where something else was begun since, which is not ours to do
 */
async function takeUp(
  fleet: Pick<Fleet, 'takeUp' | 'operation'>,
  name: string,
  step: NonNullable<ToUpgrade['interruptedAt']>,
): Promise<boolean> {
  const found = fleet.operation(name);
  if (found === undefined) return false;
  const { kind } = found.record;
  if (kind !== KINDS[step])
    throw new Error(
      `"${kind}" was begun on ${name} besides and did not end. Continue or leave that where the instance is listed, then upgrade it again.`,
    );
  await fleet.takeUp(name)?.result;
  return step === 'restarts';
}

/**
 * Never throws for an instance. What runs in a desktop ends when it is restarted, after its work was saved; where that
 * save fails nothing of the instance is changed.
 */
export async function upgrade(
  fleet: Pick<Fleet, 'saveNow' | 'change' | 'restart' | 'takeUp' | 'operation'>,
  instances: readonly ToUpgrade[],
  { version, wave = 5, onNews = () => {}, signal }: UpgradeOptions,
): Promise<UpgradeResult> {
  const done: string[] = [];
  const failed: { name: string; message: string }[] = [];
  const one = async ({ name, isPaused, interruptedAt }: ToUpgrade) => {
    try {
      if (interruptedAt !== undefined) {
        onNews({ name, state: interruptedAt });
        if (await takeUp(fleet, name, interruptedAt)) {
          done.push(name);
          return onNews({ name, state: 'done' });
        }
      }
      if (isPaused !== true) {
        onNews({ name, state: 'saves' });
        await fleet.saveNow(name).result;
      }
      onNews({ name, state: 'changes' });
      await fleet.change(name, { settings: { version } }).result;
      if (isPaused !== true) {
        onNews({ name, state: 'restarts' });
        await fleet.restart(name).result;
      }
      done.push(name);
      onNews({ name, state: 'done' });
    } catch (error) {
      const { message } = error as Error;
      failed.push({ name, message });
      onNews({ name, state: 'failed', message });
    }
  };
  let begun = 0;
  while (begun < instances.length && failed.length === 0 && signal?.aborted !== true) {
    const next = instances.slice(begun, begun === 0 ? 1 : begun + wave);
    begun += next.length;
    await Promise.all(next.map(one));
  }
  return { done, failed, left: instances.slice(begun).map(({ name }) => name) };
}
