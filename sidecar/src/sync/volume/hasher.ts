import { JobThread } from '../../thread.ts';

export type HashRequest =
  | {
      readonly do: 'go-on';
      readonly job: number;
      readonly descriptor: number;
      readonly upTo: number;
      /** A checksum of each part of this length is wanted. */
      readonly partBytes: number | null;
      readonly isAll: boolean;
    }
  | { readonly do: 'forget'; readonly job: number };

export interface Digest {
  /** SHA-256 in hex. */
  readonly hash: string;
  /** CRC-32 of each part, where parts were asked for. */
  readonly checks: readonly number[];
}

/** SHA-256 of a file that is still being written, from its beginning on. */
export interface RunningHash {
  /** The first so many bytes are final. */
  goOn(upTo: number): void;
  /** Of the whole file. @throws Error where it cannot be read, or is shorter. */
  digest(size: number): Promise<Digest>;
  /** Nobody asks for the digest any more; call it before the file is closed. */
  forget(): void;
}

const thread = new JobThread<HashRequest, Digest>('hash-thread', import.meta.url);

/**
 * Hashing costs as much as receiving, so it has a thread of its own, one for all files. It reads what was written from
 * the page cache, which costs far less than to hash.
 * @param descriptor of the open file; it stays open until `digest` is done or `forget` is called.
 * @param partBytes where a checksum of each part of this length is wanted besides.
 */
export function startHash(descriptor: number, partBytes: number | null = null): RunningHash {
  const { job, result } = thread.begin();
  // Who asks for no digest is told of no failure.
  result.catch(() => undefined);
  return {
    goOn: (upTo) => thread.order({ do: 'go-on', job, descriptor, upTo, partBytes, isAll: false }),
    digest(size) {
      thread.order({ do: 'go-on', job, descriptor, upTo: size, partBytes, isAll: true });
      return result;
    },
    forget: () => thread.forget(job, { do: 'forget', job }),
  };
}
