import type { DispatcherOptions } from './dispatcher.ts';
import type { Piece } from './pieces.ts';

/** What the thread of the connections is told. Whatever is under way has the number that its request came with. */
export type ThreadRequest =
  | { readonly do: 'open'; readonly client: number; readonly options: DispatcherOptions }
  | { readonly do: 'close'; readonly client: number }
  | {
      readonly do: 'request';
      readonly client: number;
      readonly id: number;
      readonly request: Outgoing;
      /** Requests of this client at one time from now on; the others wait in the thread. */
      readonly limit: number;
    }
  /** The next bytes of a body that comes in pieces; null: that was all. */
  | { readonly do: 'send'; readonly id: number; readonly bytes: Uint8Array | null }
  /** One more piece can be reported. */
  | { readonly do: 'taken'; readonly id: number }
  /** Of a piece that nobody uses any more. */
  | { readonly do: 'give-back'; readonly memory: SharedArrayBuffer }
  /** Nobody waits for the rest. */
  | { readonly do: 'abandon'; readonly id: number };

export interface Outgoing {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Percent-encoded, with query. */
  readonly path: string;
  readonly headers: Record<string, string>;
  /** `pieces`: it comes by `send`, each one when it is wanted. */
  readonly body: string | Uint8Array | null | 'pieces';
}

/** The headers of an answer that are read here. The others stay in the thread: each of them is copied twice. */
export const HEADERS_READ = [
  'content-disposition',
  'content-length',
  'content-range',
  'content-type',
  'location',
  'retry-after',
] as const;
export type Headers = Partial<Record<(typeof HEADERS_READ)[number], string | string[]>>;

export type ThreadEvent =
  /** `body` is all of it; null: it comes in pieces. */
  | {
      readonly is: 'answer';
      readonly id: number;
      readonly status: number;
      readonly headers: Readonly<Headers>;
      readonly body: Uint8Array | null;
    }
  | { readonly is: 'piece'; readonly id: number; readonly bytes: Piece }
  | { readonly is: 'end'; readonly id: number }
  | { readonly is: 'failed'; readonly id: number; readonly code: string; readonly message: string }
  /** One more piece of the body can be sent. */
  | { readonly is: 'want'; readonly id: number }
  | { readonly is: 'closed'; readonly client: number };

/** Pieces that wait for the one who reads them; more are left to the connection. */
export const PIECES_AHEAD = 4;

/**
 * Orders or reports in one message. Each message costs far more than what is in it; with more of them, one thread has
 * nothing to do while the other one works through all it was told.
 */
export const MAX_TOGETHER = 4;
