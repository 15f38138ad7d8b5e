import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { takeLock } from '../../../automation/fleet/index.ts';
import { replaceFileSync } from '../../../automation/tools/replace-file.ts';
import { UPGRADE_STATES } from '../view-types.ts';

/** What an upgrade is to do and how far it is, in a file that outlives the console, and a lock that does not. */

const planSchema = z.object({
  version: z.string(),
  wave: z.int().min(1),
  /** Who began it, for pages. */
  by: z.string(),
  /** ISO 8601. */
  since: z.string(),
  isOver: z.boolean(),
  instances: z.array(
    z.object({ name: z.string(), state: z.enum(UPGRADE_STATES), message: z.string().optional() }),
  ),
});
export type UpgradePlan = z.output<typeof planSchema>;

export class PlanFile {
  readonly #folder: string;
  readonly #file: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, 'upgrade.json');
  }

  /** @throws Error where it holds no plan */
  read(): UpgradePlan | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return planSchema.parse(JSON.parse(text));
    } catch {
      throw new Error(
        `${this.#file} holds no plan of an upgrade (${text.length} characters). What was under way is told where each instance is listed; remove the file.`,
      );
    }
  }

  write(plan: UpgradePlan): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    replaceFileSync(this.#file, JSON.stringify(plan));
  }

  /** For as long as this process works on it. @returns what releases it; undefined: another console does */
  lock(): (() => void) | undefined {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return takeLock(join(this.#folder, 'upgrade.lock'));
  }
}
