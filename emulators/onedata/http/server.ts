import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from '../context.ts';
import type { FaultAction } from '../faults.ts';
import type { Provider } from '../provider/provider.ts';
import { serveProvider } from '../provider/routes.ts';
import { serveZone } from '../zone/routes.ts';
import { ApiError, BareStatus } from './api-error.ts';
import { type Call, decode, parseQuery, sendHead, sendJson } from './call.ts';

/** Zone and provider behind one port, told apart by the host name that the client asked for. */
export function makeListener(context: () => Context, report: (error: unknown) => void): RequestListener {
  return (request, response) => {
    serve(context(), request, response).catch((error) => {
      report(error);
      response.destroy();
    });
  };
}

async function serve(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const provider = context.providers.find((each) => each.host === host);
  if (provider && context.faults.isGone(provider.id)) {
    request.socket.destroy();
    return;
  }
  const [path = '/', search = ''] = split(request.url ?? '/');
  const method = request.method ?? 'GET';
  const length = request.headers['content-length'];
  const faults = context.faults.take(
    method,
    request.url ?? '/',
    length === undefined ? undefined : Number(length),
  );
  const wait = faults.reduce(
    (sum, action) => sum + (action.kind === 'latency' ? action.milliseconds : 0),
    context.faults.latencyMilliseconds,
  );
  if (wait > 0) await delay(wait);
  if (faults.some(({ kind }) => kind === 'cut')) {
    request.socket.destroy();
    return;
  }
  if (faults.some(({ kind }) => kind === 'lose-answer')) loseAnswer(response);
  const late = faults.find((action) => action.kind === 'late-answer');
  if (late) delayEnd(response, late.milliseconds);
  let call: Call = { request, response, method, path, segments: [], query: {}, faults };
  try {
    throwFault(faults);
    if (faults.some(({ kind }) => kind === 'wrong-answer')) return answerWrongly(call);
    const raw = faults.find((action) => action.kind === 'raw-answer');
    if (raw) return answerRaw(request, raw.bytes);
    const segments = path.split('/').slice(1).map(decode);
    call = { ...call, segments, query: parseQuery(search) };
    if (host === context.configuration.zoneHost) await serveZone(context, call);
    else if (provider) await serveProvider(contextAt(context, provider), call);
    else throw new BareStatus(421);
  } catch (error) {
    answerError(call, error);
  }
}

const contexts = new WeakMap<Provider, Context>();

/** As the endpoints of this provider see it; the same one each time. */
function contextAt(context: Context, provider: Provider): Context {
  let own = contexts.get(provider);
  if (own === undefined) {
    own = { ...context, provider };
    contexts.set(provider, own);
  }
  return own;
}

function split(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}

function throwFault(faults: readonly FaultAction[]): void {
  for (const action of faults) {
    if (action.kind === 'status') throw new BareStatus(action.status, retryAfter(action.retryAfterSeconds));
    if (action.kind !== 'error') continue;
    const { status, id, details, retryAfterSeconds } = action;
    const description = `${id} ${details?.errno ?? ''}`;
    throw new ApiError(status, id, details, description, retryAfter(retryAfterSeconds));
  }
}

const retryAfter = (seconds: number | undefined): Record<string, string> =>
  seconds === undefined ? {} : { 'retry-after': String(seconds) };

/** What was sent of an upload is taken in and dropped. */
function answerWrongly(call: Call): void {
  call.request.resume();
  const page = '<!doctype html><title>Sign in</title><p>Sign in to continue.</p>';
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-length': String(page.length) };
  sendHead(call, 200, headers);
  call.response.end(page);
}

/** What was sent of an upload is taken in first, so that the client gets to read the answer. */
function answerRaw(request: IncomingMessage, bytes: string): void {
  request.resume();
  request.once('end', () => request.socket.end(bytes, 'latin1'));
}

function delayEnd(response: ServerResponse, milliseconds: number): void {
  const end = response.end.bind(response) as (...given: unknown[]) => ServerResponse;
  response.end = ((...given: unknown[]) => {
    setTimeout(() => end(...given), milliseconds);
    return response;
  }) as ServerResponse['end'];
}

/** The work is done, then the connection breaks instead of answering. */
function loseAnswer(response: ServerResponse): void {
  const destroy = () => {
    response.socket?.destroy();
    return response;
  };
  response.writeHead = destroy;
  response.end = destroy;
}

function answerError(call: Call, error: unknown): void {
  const { request, response } = call;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // What is left of an upload is taken in and dropped, so that the client gets to read the answer.
  const closing: Record<string, string> = request.complete ? {} : { connection: 'close' };
  if (!request.complete) {
    request.unpipe();
    request.resume();
  }
  if (error instanceof BareStatus) {
    sendHead(call, error.status, { ...error.headers, ...closing, 'content-length': '0' });
    response.end();
    return;
  }
  if (error instanceof ApiError) {
    sendJson(call, error.status, { error: error.body }, { ...error.headers, ...closing });
    return;
  }
  const isBroken = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
  if (isBroken || request.destroyed) {
    response.destroy();
    return;
  }
  const reference = Math.random().toString(36).slice(2, 12);
  process.stderr.write(`internal error ${reference}: ${(error as Error).stack}\n`);
  sendJson(call, 500, { error: new ApiError(500, 'internalServerError', { reference }).body }, closing);
}
