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
}

/**
 * Never throws for an instance. What runs in a desktop ends when it is restarted, after its work was saved; where that
 * save fails nothing of the instance is changed.
 */
export async function upgrade(
  fleet: Pick<Fleet, 'saveNow' | 'change' | 'restart'>,
  instances: readonly ToUpgrade[],
  { version, wave = 5, onNews = () => {}, signal }: UpgradeOptions,
): Promise<UpgradeResult> {
  const done: string[] = [];
  const failed: { name: string; message: string }[] = [];
  const one = async ({ name, isPaused }: ToUpgrade) => {
    try {
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
