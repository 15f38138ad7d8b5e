import type * as z from 'zod';
import { parseJson } from '../../../contract/parse-json.ts';
import { SpaceError } from '../space-error.ts';
import { classify, connectionError, type ErrorContext, retryAfterOf } from './errors.ts';
import { originOf } from './host.ts';
import { type Answer, HttpConnections } from './http-connections.ts';
import type { LoadMeter } from './load-meter.ts';
import { type ProxySettings, proxyOfEnvironment } from './proxy.ts';
import type { Headers } from './thread-messages.ts';

export interface HttpOptions {
  readonly host: string;
  readonly spaceId: string;
  /** Asked before each request, so that a token that was changed is used from the next one on. */
  readonly token: () => Promise<string>;
  /** PEM bundle, trusted besides the well-known authorities. */
  readonly certificateAuthorities?: string | undefined;
  /** Connections at most. */
  readonly concurrency: number;
  /** Told of each request. */
  readonly meter?: LoadMeter;
  /** Longest time without a byte, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** Default: what HTTPS_PROXY and NO_PROXY say. */
  readonly proxy?: ProxySettings | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Percent-encoded, with query. */
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /** Path in the space that it is about, for messages. */
  readonly path?: string | undefined;
  /** No token is sent, e.g. for the provider's public configuration. */
  readonly isPublic?: boolean;
}

export interface HttpAnswer extends Answer {
  /** The token that was sent. */
  readonly token?: string;
}

const MAXIMUM_ERROR_BYTES = 65_536;

/** One host with one token. Knows connections, headers and errors, not what the calls mean. Never repeats a request. */
export class OnedataHttp {
  readonly #options: HttpOptions;
  #connections: HttpConnections | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  get host(): string {
    return this.#options.host;
  }

  /** The answer with its body still unread, whatever its status. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const context = this.#context(request);
    const { body = null } = request;
    const source =
      typeof body === 'string' || body instanceof Uint8Array || body === null ? null : watched(body);
    try {
      const token = request.isPublic ? undefined : await this.token();
      const answer = await this.#open().request({
        method: request.method,
        path: request.url,
        headers: { ...(token === undefined ? {} : { 'x-auth-token': token }), ...request.headers },
        body: source?.bytes ?? body,
        signal: request.signal,
      });
      if (isForeign(answer)) {
        answer.drop();
        throw this.#foreign(request, 'a web page');
      }
      return token === undefined ? answer : { ...answer, token };
    } catch (error) {
      request.signal?.throwIfAborted();
      // When reading the local file failed, that is the cause, not the connection that broke because of it.
      throw source?.error() ?? connectionError(error, context, false);
    }
  }

  /** Bytes of an answer; breaks and stalls become `transfer-broken` and `stalled`. Leaving early ends the transfer. */
  async *bytes(request: HttpRequest, answer: HttpAnswer): AsyncGenerator<Uint8Array> {
    try {
      yield* answer.body;
    } catch (error) {
      request.signal?.throwIfAborted();
      throw connectionError(error, this.#context(request), true);
    }
  }

  async text(request: HttpRequest, answer: HttpAnswer, limit = Number.POSITIVE_INFINITY): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.bytes(request, answer)) {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length > limit) break;
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** The error that an answer outside 2xx stands for. */
  async failure(request: HttpRequest, answer: HttpAnswer): Promise<SpaceError> {
    const text = await this.text(request, answer, MAXIMUM_ERROR_BYTES);
    const context = this.#context(request);
    if (answer.status === 401 && answer.token !== undefined && answer.token !== (await this.token())) {
      return new SpaceError(
        'unavailable',
        `The Onedata token for space ${context.spaceId} was replaced while ${context.host} refused the old one.`,
        context.path === undefined ? {} : { path: context.path },
      );
    }
    return classify(answer.status, text, context, retryAfterOf(headerOf(answer, 'retry-after')));
  }

  /** @throws SpaceError unless the answer is 2xx; its body is read away. */
  async done(request: HttpRequest): Promise<void> {
    const answer = await this.send(request);
    if (!isSuccess(answer)) throw await this.failure(request, answer);
    await this.text(request, answer);
  }

  /** A JSON answer of this shape. @throws SpaceError `unavailable` for any other: something else answers there. */
  async json<Schema extends z.ZodType>(request: HttpRequest, schema: Schema): Promise<z.output<Schema>> {
    const answer = await this.send(request);
    if (!isSuccess(answer)) throw await this.failure(request, answer);
    const text = await this.text(request, answer);
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw this.#foreign(request, `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
  }

  #foreign({ method, url, path }: HttpRequest, what: string): SpaceError {
    return new SpaceError(
      'unavailable',
      `${this.#options.host} answered ${method} ${url.split('?')[0]} with something else than Onedata does (${what}). Check that it is a Onedata provider.`,
      path === undefined ? {} : { path },
    );
  }

  async close(): Promise<void> {
    const connections = this.#connections;
    this.#connections = undefined;
    await connections?.close();
  }

  #context({ path }: HttpRequest): ErrorContext {
    return { host: this.#options.host, spaceId: this.#options.spaceId, path };
  }

  #open(): HttpConnections {
    const { certificateAuthorities, concurrency, host, meter, stallTimeoutMs, proxy } = this.#options;
    this.#connections ??= new HttpConnections(
      {
        origin: originOf(host),
        certificateAuthorities,
        connections: concurrency,
        stallTimeoutMs,
        proxy: proxy ?? proxyOfEnvironment(),
      },
      meter,
    );
    return this.#connections;
  }

  /** @throws SpaceError `token-invalid` when there is none to send */
  async token(): Promise<string> {
    const { spaceId, token } = this.#options;
    let text: string;
    try {
      text = (await token()).trim();
    } catch (error) {
      throw new SpaceError('token-invalid', `The Onedata token for space ${spaceId} cannot be read.`, {
        cause: error,
      });
    }
    if (!/^[\x21-\x7e]+$/.test(text)) {
      const found = text === '' ? 'is empty' : 'holds characters that no token has';
      throw new SpaceError('token-invalid', `The Onedata token for space ${spaceId} ${found}. Set it again.`);
    }
    return text;
  }
}

export const isSuccess = ({ status }: Answer) => status >= 200 && status < 300;

/** ⚠ A gateway in between may answer with a page of its own and say 200: neither a file nor done. */
const isForeign = (answer: Answer) =>
  isSuccess(answer) &&
  /^text\/html\b/i.test(headerOf(answer, 'content-type') ?? '') &&
  // Files that are web pages have it.
  headerOf(answer, 'content-disposition') === undefined;

export function headerOf(answer: Answer, name: keyof Headers): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Remembers why reading a body failed. */
function watched(source: AsyncIterable<Uint8Array>): {
  bytes: AsyncIterable<Uint8Array>;
  error: () => unknown;
} {
  let failure: unknown;
  async function* bytes() {
    try {
      yield* source;
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  return { bytes: bytes(), error: () => failure };
}
