import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** `fresh`: has not said yet who it is. */
export type Kind = 'fresh' | 'stranger' | 'known';

export interface Connection {
  readonly socket: Socket;
  kind: Kind;
  /** Time of the last change, by `performance.now()`: connected, asked, answered. */
  since: number;
  /** The answer that is on its way. */
  response: ServerResponse | undefined;
  /** Above 0 the socket is not given up for others. */
  held: number;
  /** It is destroyed in a moment. */
  isEnding: boolean;
}

/**
 * The open sockets, each kind in the order of their last change. Who comes when there is no room takes the place of
 * the first that is not held.
 */
export class ConnectionTable {
  readonly #limits: Readonly<Record<Kind, number>>;
  readonly #kinds: Readonly<Record<Kind, Map<Socket, Connection>>> = {
    fresh: new Map(),
    stranger: new Map(),
    known: new Map(),
  };

  constructor(limits: Readonly<Record<Kind, number>>) {
    this.#limits = limits;
  }

  add(socket: Socket): void {
    const connection: Connection = {
      socket,
      kind: 'fresh',
      since: 0,
      response: undefined,
      held: 0,
      isEnding: false,
    };
    socket.once('close', () => this.#kinds[connection.kind].delete(socket));
    this.put(connection, 'fresh');
  }

  /** Undefined for one that has been given up. */
  of(socket: Socket): Connection | undefined {
    const { fresh, stranger, known } = this.#kinds;
    return fresh.get(socket) ?? stranger.get(socket) ?? known.get(socket);
  }

  /** Notes a change of the connection, the newest of its kind from now on. Its own socket goes when all others are held. */
  put(connection: Connection, kind: Kind): void {
    const { socket } = connection;
    this.#kinds[connection.kind].delete(socket);
    connection.kind = kind;
    connection.since = performance.now();
    const group = this.#kinds[kind];
    if (socket.destroyed) return;
    group.set(socket, connection);
    if (group.size <= this.#limits[kind]) return;
    for (const [each, { held }] of group) {
      if (held > 0) continue;
      group.delete(each);
      each.destroy();
      return;
    }
  }

  *all(): Iterable<Connection> {
    for (const group of Object.values(this.#kinds)) yield* group.values();
  }
}
