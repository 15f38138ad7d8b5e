/**
 * Runs `work` for every item, at most `limit` at one time, pulling items only as workers are free. The first error
 * stops the intake, the work under way ends, then the error is thrown.
 */
export async function forEachLimit<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : (items as Iterable<T>)[Symbol.iterator]();
  let turn: Promise<unknown> = Promise.resolve();
  let failed = false;
  let failure: unknown;
  const next = (): Promise<IteratorResult<T>> => {
    const result = turn.then(() => iterator.next());
    turn = result.catch(() => undefined);
    return result;
  };
  const worker = async (): Promise<void> => {
    try {
      while (!failed) {
        const item = await next();
        if (item.done === true || failed) return;
        await work(item.value);
      }
    } catch (error) {
      if (!failed) failure = error;
      failed = true;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, limit) }, worker));
  await iterator.return?.();
  if (failed) throw failure;
}
