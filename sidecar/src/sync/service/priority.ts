import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import type { SyncConfig } from '../../../contract/config.ts';

/** `nice` values. Linux takes the priority at the disk from them too. */
const NICENESS = { low: 10, normal: 0 } as const;

/**
 * Lowers the priority of this process: of every thread that it has so far, later ones inherit it. What is as low
 * already stays, as nobody may raise it.
 */
export function applyPriority(priority: SyncConfig['priority']): void {
  const niceness = NICENESS[priority ?? 'low'];
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    try {
      if (getPriority(thread) < niceness) setPriority(thread, niceness);
    } catch (error) {
      // A thread that has ended meanwhile.
      const code = (error as { info?: { code?: string } }).info?.code;
      if (code !== 'ESRCH') throw error;
    }
  }
}
