import type { FastifyReply } from 'fastify';
import { type GatewayView, VIEW_EVERY_MS } from './view.ts';

/** A reader that has taken nothing for this many heartbeats is gone. */
const MAX_UNREAD_HEARTBEATS = 3;
const SESSION_CHECK_MS = 2000;

export interface EventStreamOptions {
  readonly current: () => GatewayView;
  readonly listen: (listener: () => void) => () => void;
  readonly isStillAllowed: () => boolean;
}

/**
 * Sends the view as server-sent events: `view` at the start and at each change, `logout` when the session has ended.
 * A slow reader gets the newest view when it is ready again, not all that it missed.
 */
export function streamView(
  reply: FastifyReply,
  { current, listen, isStillAllowed }: EventStreamOptions,
): void {
  reply.header('content-type', 'text/event-stream; charset=utf-8').header('x-accel-buffering', 'no');
  const headers = reply.getHeaders();
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) raw.setHeader(name, value);
  let mayWrite = true;
  let hasNews = false;
  const sendView = () => {
    if (!mayWrite) {
      hasNews = true;
      return;
    }
    hasNews = false;
    mayWrite = raw.write(`event: view\ndata: ${JSON.stringify(current())}\n\n`);
  };
  raw.on('drain', () => {
    mayWrite = true;
    if (hasNews) sendView();
  });
  raw.write('retry: 2000\n\n');
  const stopListening = listen(sendView);
  sendView();
  let unread = 0;
  const heartbeat = setInterval(() => {
    unread = mayWrite ? 0 : unread + 1;
    if (unread > MAX_UNREAD_HEARTBEATS) raw.destroy();
    // Not a comment: a page is not told of those, and has to know that the line is alive.
    else if (mayWrite) sendView();
  }, VIEW_EVERY_MS);
  const check = setInterval(() => {
    if (!isStillAllowed()) raw.end('event: logout\ndata: {}\n\n');
  }, SESSION_CHECK_MS);
  raw.on('close', () => {
    stopListening();
    clearInterval(heartbeat);
    clearInterval(check);
  });
  raw.on('error', () => raw.destroy());
}
