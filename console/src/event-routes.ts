import { once } from 'node:events';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { FleetEvent } from '../../automation/fleet/index.ts';
import { refused } from './answers.ts';
import { type ApiParts, isForAll, nameOf } from './api-parts.ts';
import type { Instances } from './instances.ts';
import type { ProgressEvent } from './view-types.ts';
import type { Visitor } from './visitors.ts';

/** Server-sent events: the list as it changes, and what an operation does, from wherever a page has seen it. */

const HEARTBEAT_MS = 15_000;
/** News within this time are told together. */
const GATHER_MS = 500;
/** Also without news: ages and times of saves change. */
const LIST_MS = 5_000;
const MAX_STREAMS_OF_USER = 16;

export function addEventRoutes(api: FastifyInstance, parts: ApiParts, instances: Instances): void {
  const streams = new Map<string, number>();
  const open = (visitor: Visitor, reply: FastifyReply): EventStream | undefined => {
    const { id } = visitor.user;
    const count = streams.get(id) ?? 0;
    if (count >= MAX_STREAMS_OF_USER) return undefined;
    streams.set(id, count + 1);
    return new EventStream(reply, visitor, () => {
      const left = (streams.get(id) ?? 1) - 1;
      if (left === 0) streams.delete(id);
      else streams.set(id, left);
    });
  };

  api.get('/events', async (request, reply) => {
    const { visitor } = request;
    const isAll = isForAll(request);
    const stream = open(visitor, reply);
    if (stream === undefined) return reply.code(429).send(refused('too-many'));
    let last = '';
    let timer: NodeJS.Timeout | undefined;
    const send = async () => {
      timer = undefined;
      const { seenAt, ...list } = instances.list(visitor, isAll);
      const text = JSON.stringify(list);
      if (text === last) return;
      last = text;
      await stream.send('instances', { ...list, seenAt });
    };
    const soon = () => {
      timer ??= setTimeout(() => void send().catch(() => stream.end()), GATHER_MS);
    };
    const stop = parts.board.listen(soon);
    const again = setInterval(soon, LIST_MS);
    stream.onClose(() => {
      stop();
      clearInterval(again);
      clearTimeout(timer);
    });
    await send();
    return reply;
  });

  api.get('/instances/:name/events', async (request, reply) => {
    const { visitor } = request;
    const name = nameOf(request);
    if (instances.view(visitor, name, 'none') === undefined)
      return reply.code(404).send(refused('not-found'));
    const begun = parts.operations.of(name);
    // Nothing to follow: a browser does not come back after this answer.
    if (begun === undefined) return reply.code(204).send();
    const [id, number] = String(request.headers['last-event-id'] ?? '').split(':');
    const seen = id === begun.id && /^\d{1,9}$/.test(number ?? '') ? Number(number) : 0;
    const stream = open(visitor, reply);
    if (stream === undefined) return reply.code(429).send(refused('too-many'));
    void (async () => {
      for await (const { number, event } of begun.operation.after(seen)) {
        if (stream.isClosed) return;
        await stream.send('progress', progressOf(event), `${begun.id}:${number}`);
      }
      stream.end();
    })().catch(() => stream.end());
    return reply;
  });
}

/** Without what a page has no use for. */
export function progressOf(event: FleetEvent): ProgressEvent {
  const { at } = event;
  switch (event.event) {
    case 'step': {
      const { operation, kind, name, state } = event.step;
      return { at, event: 'step', step: { operation, kind, name, state } };
    }
    case 'said':
    case 'warning':
      return { at, event: event.event, text: event.text };
    case 'failed':
      return { at, event: 'failed', code: event.code, what: event.what };
    case 'done': {
      const { url } = (event.result ?? {}) as { url?: unknown };
      return { at, event: 'done', ...(typeof url === 'string' ? { url } : {}) };
    }
    default:
      return { at, event: event.event };
  }
}

/** Ends with the session, and with a reader that takes nothing. */
class EventStream {
  readonly #raw: FastifyReply['raw'];
  readonly #visitor: Visitor;
  readonly #closers: (() => void)[] = [];
  #isClosed = false;

  constructor(reply: FastifyReply, visitor: Visitor, onClose: () => void) {
    reply.header('content-type', 'text/event-stream; charset=utf-8').header('x-accel-buffering', 'no');
    const headers = reply.getHeaders();
    reply.hijack();
    const { raw } = reply;
    this.#raw = raw;
    this.#visitor = visitor;
    this.#closers.push(onClose);
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) raw.setHeader(name, value);
    raw.write('retry: 2000\n\n');
    const heartbeat = setInterval(() => {
      if (!visitor.isStillIn()) this.#leave();
      else if (raw.writableNeedDrain) raw.destroy();
      else raw.write(': still here\n\n');
    }, HEARTBEAT_MS);
    raw.on('error', () => raw.destroy());
    raw.on('close', () => {
      this.#isClosed = true;
      clearInterval(heartbeat);
      for (const close of this.#closers) close();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  onClose(close: () => void): void {
    if (this.#isClosed) close();
    else this.#closers.push(close);
  }

  async send(event: string, data: object, id?: string): Promise<void> {
    if (this.#isClosed) return;
    if (!this.#visitor.isStillIn()) return this.#leave();
    const mark = id === undefined ? '' : `id: ${id}\n`;
    if (this.#raw.write(`${mark}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)) return;
    const controller = new AbortController();
    const closed = () => controller.abort();
    this.#raw.once('close', closed);
    await once(this.#raw, 'drain', { signal: controller.signal }).catch(() => undefined);
    this.#raw.off('close', closed);
  }

  end(): void {
    this.#raw.end();
  }

  #leave(): void {
    this.#raw.end('event: signed-out\ndata: {}\n\n');
  }
}
