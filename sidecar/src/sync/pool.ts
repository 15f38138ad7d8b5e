/**
 * Runs `work` for every item, at most `limit` at one time, pulling items only as there is room. The first error stops
 * the intake, the work under way ends, then the error is thrown.
 * @param limit a function is asked again whenever a piece of work has ended
 */
export async function forEachLimit<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number | (() => number),
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : (items as Iterable<T>)[Symbol.iterator]();
  const most = () => Math.max(1, typeof limit === 'number' ? limit : limit());
  let turn: Promise<unknown> = Promise.resolve();
  let running = 0;
  let isOver = false;
  let failure: { readonly error: unknown } | undefined;
  const next = (): Promise<IteratorResult<T>> => {
    const result = turn.then(() => iterator.next());
    turn = result.catch(() => undefined);
    return result;
  };
  await new Promise<void>((resolve) => {
    const fill = (): void => {
      while (!isOver && running < most()) {
        running += 1;
        void worker();
      }
    };
    const worker = async (): Promise<void> => {
      try {
        while (!isOver && running <= most()) {
          const item = await next();
          if (item.done === true) isOver = true;
          if (isOver) break;
          await work(item.value);
          fill();
        }
      } catch (error) {
        failure ??= { error };
        isOver = true;
      }
      running -= 1;
      if (running === 0) resolve();
    };
    fill();
  });
  await iterator.return?.();
  if (failure !== undefined) throw failure.error;
}
