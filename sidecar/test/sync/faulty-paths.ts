import type { ReadOnlySpace, Space, SpaceEntry } from '../../src/spaces/space.ts';

/** Faults of single paths of a space, by call: what `fault` gives is thrown, all other calls go through. */
export type PathFault = (call: string, path: string) => Error | null;

const pathOf = (first: unknown): string =>
  typeof first === 'string' ? first : ((first as { path?: string } | undefined)?.path ?? '');

/** A space in which single paths fail. */
export function faultyPaths<Given extends Space | ReadOnlySpace>(inner: Given, fault: PathFault): Given {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      const call = String(key);
      return (...args: unknown[]) => {
        const error = fault(call, pathOf(args[0]));
        const go = () => (value as (...all: unknown[]) => unknown).apply(target, args);
        if (error === null) return go();
        if (call !== 'list' && call !== 'read') return Promise.reject(error);
        return (async function* (): AsyncIterable<unknown> {
          yield* [];
          throw error;
        })();
      };
    },
  });
}

/** A space with files that grow each time somebody reads them, as a microscope writes them. */
export function growing<Given extends Space>(inner: Given, isGrowing: (path: string) => boolean): Given {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function' || key !== 'read')
        return typeof value === 'function' ? value.bind(target) : value;
      return async function* (file: SpaceEntry, options: object) {
        if (isGrowing(file.path)) {
          let bytes = Buffer.alloc(0);
          for await (const chunk of target.read({ path: file.path })) bytes = Buffer.concat([bytes, chunk]);
          const more = Buffer.concat([bytes, Buffer.from(' and more')]);
          await target.write(file.path, {
            size: more.length,
            async *open() {
              yield more;
            },
          });
        }
        yield* target.read(file, options);
      };
    },
  });
}
