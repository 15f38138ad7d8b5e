import { createHash } from 'node:crypto';
import { ApiError } from './http/api-error.ts';

const MOST = 1000;

/** Short, however long the token is. */
const keyOf = (question: readonly string[]) =>
  createHash('sha256').update(JSON.stringify(question)).digest('base64');

/**
 * ⚠ A provider remembers for a while that it refused a token, and answers the same without looking again. Of a token
 * that was found good it remembers nothing here: a revocation shows at once, where Onedata takes a moment.
 */
export class Refusals {
  readonly #known = new Map<string, { readonly error: ApiError; readonly until: number }>();

  /** @throws ApiError that was answered to this very question, not longer ago than it is remembered */
  check<T>(question: readonly string[], memoryMs: number, answer: () => T): T {
    if (this.#known.size > 0) this.#recall(keyOf(question));
    try {
      return answer();
    } catch (error) {
      if (error instanceof ApiError) {
        if (this.#known.size >= MOST) this.#known.clear();
        this.#known.set(keyOf(question), { error, until: Date.now() + memoryMs });
      }
      throw error;
    }
  }

  #recall(key: string): void {
    const known = this.#known.get(key);
    if (known && Date.now() < known.until) throw known.error;
    this.#known.delete(key);
  }
}
