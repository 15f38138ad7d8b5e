import * as z from 'zod';
import type { CallOptions, ListOptions } from '../space.ts';
import { SpaceError } from '../space-error.ts';
import {
  type Attributes,
  type FileAttributes,
  idSchema,
  isOdd,
  readAttributes,
  readChild,
} from './attributes.ts';
import { type HttpAnswer, type HttpRequest, headerOf, isSuccess, type OnedataHttp } from './http-client.ts';

export interface CallContext {
  readonly signal?: AbortSignal | undefined;
  /** Path in the space that the call is about, for messages. */
  readonly path?: string | undefined;
}

const OP = '/api/v3/oneprovider';
const NEW_NAMES = ['fileId', 'name', 'type', 'size', 'mtime'] as const;
const OLD_NAMES = ['file_id', 'name', 'type', 'size', 'mtime'] as const;
/** ⚠ Later releases take 10000; every one takes this. */
const PAGE_SIZE = 1000;

/** Anything else is no answer about a file. */
const attributesSchema = z
  .looseObject({})
  .refine(({ fileId, file_id }) => idSchema.safeParse(fileId ?? file_id).success, 'no file id');

/** So many pages in a row may hold nothing and be followed by others. */
const MAX_EMPTY_PAGES = 100;

const pageSchema = z.object({
  /** Each one is judged by itself. */
  children: z.array(z.unknown()),
  isLast: z.boolean().optional(),
  nextPageToken: z.string().nullish(),
});

const spaceSchema = z
  .object({
    spaceId: z.string(),
    name: z.string(),
    fileId: idSchema.optional(),
    dirId: idSchema.optional(),
  })
  .transform(({ spaceId, name, fileId, dirId }) => ({ spaceId, name, rootId: dirId ?? fileId ?? spaceId }));
export type SpaceDetails = z.output<typeof spaceSchema>;

const configurationSchema = z.object({
  version: z.string(),
  onezoneDomain: z.string().nullish(),
  providerId: z.string().nullish(),
});
export type ProviderConfiguration = z.output<typeof configurationSchema>;

/** The calls by path came with it; one that is older is refused with a sentence. */
export const OLDEST_VERSION = [21, 2, 1] as const;

const createdSchema = z.object({ fileId: idSchema });

const oddEntry = (host: string, path: string, why: string) =>
  new SpaceError(
    'odd-entry',
    `what ${host} says of ${path || 'the root of the space'} cannot be right: ${why}`,
    {
      path,
    },
  );

const callOptions = ({ signal }: CallContext): CallOptions => (signal === undefined ? {} : { signal });

/** Each component by itself; slashes stay. */
export const encodePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

/** `21.02.10` is later than `21.02.8`; 25.x is later than both. */
export function isVersionAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  for (const [index, number] of wanted.entries()) {
    const difference = (parts[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** The calls of one provider that the sync needs. Each is one request; none is repeated here. */
export class ProviderClient {
  readonly http: OnedataHttp;
  readonly #spaceId: string;
  #configuration: ProviderConfiguration | undefined;

  constructor(http: OnedataHttp, spaceId: string) {
    this.http = http;
    this.#spaceId = spaceId;
  }

  /** Public; asked once. */
  async configuration(context: CallContext = {}): Promise<ProviderConfiguration> {
    this.#configuration ??= await this.http.json(
      { method: 'GET', url: `${OP}/configuration`, isPublic: true, ...context },
      configurationSchema,
    );
    return this.#configuration;
  }

  /** @throws unsupported for a release that lacks calls */
  async assertVersion(context: CallContext = {}): Promise<void> {
    const { version } = await this.configuration(context);
    if (isVersionAtLeast(version, OLDEST_VERSION)) return;
    throw new SpaceError(
      'unsupported',
      `The provider ${this.http.host} runs Onedata ${version}: 21.02.1 or later is needed. Ask its administrators, or use another provider of the space.`,
    );
  }

  async space(context: CallContext = {}): Promise<SpaceDetails> {
    const url = `${OP}/spaces/${encodeURIComponent(this.#spaceId)}`;
    return this.http.json({ method: 'GET', url, ...context }, spaceSchema);
  }

  /** All that this token's owner has here. */
  async spaces(context: CallContext = {}): Promise<SpaceDetails[]> {
    const all = await this.http.json(
      { method: 'GET', url: `${OP}/spaces`, ...context },
      z.array(z.unknown()),
    );
    // One that is odd is not the one that anybody looks for.
    return all.flatMap((each) => spaceSchema.safeParse(each).data ?? []);
  }

  /** ⚠ The space goes by name here: `Name@SpaceId`. @throws not-found, not-a-directory */
  async lookUp(spaceName: string, path: string, context: CallContext = {}): Promise<string> {
    const place = encodePath([`${spaceName}@${this.#spaceId}`, path].filter(Boolean).join('/'));
    const url = `${OP}/lookup-file-id/${place}`;
    return (await this.http.json({ method: 'POST', url, ...context }, createdSchema)).fileId;
  }

  /** @throws odd-entry for an answer that cannot be right */
  async attributes(id: string, context: CallContext = {}): Promise<FileAttributes> {
    // ⚠ Before 21.02.5 several names give an empty object: ask for none and take what is needed.
    const isNew = await this.#hasNewAttributes(context);
    const query = isNew ? queryOf([...NEW_NAMES, 'symlinkValue'].map((name) => ['attributes', name])) : '';
    const url = `${OP}/data/${encodeURIComponent(id)}${query}`;
    const found = readAttributes(await this.http.json({ method: 'GET', url, ...context }, attributesSchema));
    if (isOdd(found)) throw oddEntry(this.http.host, context.path ?? '', found.why);
    return found;
  }

  /** Children page by page. ⚠ Asked of a file it answers with that file alone. */
  async *children(
    id: string,
    context: CallContext & { readonly limit?: number; readonly repeat?: ListOptions['repeat'] } = {},
  ): AsyncGenerator<readonly Attributes[]> {
    const { limit = PAGE_SIZE, repeat = (request) => request(callOptions(context)), path } = context;
    const isNew = await repeat((inner) => this.#hasNewAttributes(inner));
    const names = isNew
      ? NEW_NAMES.map((name) => ['attributes', name] as const)
      : OLD_NAMES.map((name) => ['attribute', name] as const);
    /** A token that comes again begins a listing that never ends, and so do pages with nothing in them. */
    const tokens = new Set<string>();
    let empty = 0;
    for (let token: string | undefined; ; ) {
      const query = queryOf([
        ['limit', String(limit)],
        ...(token === undefined ? [] : [['token', token] as const]),
        ...names,
      ]);
      const url = `${OP}/data/${encodeURIComponent(id)}/children${query}`;
      const page = await repeat((inner) =>
        this.http.json({ method: 'GET', url, path, signal: inner.signal }, pageSchema),
      );
      yield page.children.map(readChild);
      // ⚠ A page may hold fewer than asked and not be the last.
      const next = page.nextPageToken ?? undefined;
      if (page.isLast === true || (page.isLast === undefined && next === undefined)) return;
      empty = page.children.length === 0 ? empty + 1 : 0;
      if (next === undefined || tokens.has(next) || empty > MAX_EMPTY_PAGES) {
        throw new SpaceError(
          'listing-incomplete',
          `The listing of ${context.path || 'the space'} ended before its last page.`,
          {
            ...(context.path === undefined ? {} : { path: context.path }),
          },
        );
      }
      tokens.add(next);
      token = next;
    }
  }

  /** The answer unread: 200, 206, 302 for a directory, 416. */
  content(
    place: { id?: string | undefined; path: string },
    range: string | undefined,
    signal?: AbortSignal,
  ): {
    request: HttpRequest;
    answer: Promise<HttpAnswer>;
  } {
    const url =
      place.id === undefined
        ? `${OP}/data/${encodeURIComponent(this.#spaceId)}/path/${encodePath(place.path)}`
        : `${OP}/data/${encodeURIComponent(place.id)}/content`;
    const request: HttpRequest = {
      method: 'GET',
      url: `${url}?follow_symlinks=false`,
      headers: range === undefined ? {} : { range },
      path: place.path,
      signal,
    };
    return { request, answer: this.http.send(request) };
  }

  async linkTarget(id: string, context: CallContext = {}): Promise<string> {
    const request = {
      method: 'GET' as const,
      url: `${OP}/data/${encodeURIComponent(id)}/symlink_value`,
      ...context,
    };
    const answer = await this.http.send(request);
    if (!isSuccess(answer)) throw await this.http.failure(request, answer);
    const text = await this.http.text(request, answer);
    if (headerOf(answer, 'content-length') !== undefined) return text;
    // ⚠ Nothing says whether all of it came, e.g. through a proxy that repacks: a second answer has to say the same.
    const second = await this.http.send(request);
    if (!isSuccess(second)) throw await this.http.failure(request, second);
    if ((await this.http.text(request, second)) === text) return text;
    throw new SpaceError(
      'transfer-broken',
      'the target of a link came in part',
      context.path === undefined ? {} : { path: context.path },
    );
  }

  /** Makes an entry that is not there yet; answers its id. @throws exists, not-found, not-a-directory */
  async create(
    path: string,
    options: CallContext & {
      readonly type: 'REG' | 'DIR' | 'SYMLNK';
      readonly target?: string;
      readonly createParents?: boolean;
      readonly body?: { readonly size: number; readonly bytes: AsyncIterable<Uint8Array> };
    },
  ): Promise<string> {
    const { type, target, createParents, body, signal } = options;
    // ⚠ Never `mode` beside `create_parents`: the parents would get it too.
    const query = queryOf([
      ['type', type],
      ...(createParents ? [['create_parents', 'true'] as const] : []),
      ...(target === undefined ? [] : [['target_file_path', target] as const]),
    ]);
    const url = `${OP}/data/${encodeURIComponent(this.#spaceId)}/path/${encodePath(path)}${query}`;
    const request: HttpRequest = { method: 'PUT', url, path, signal, ...(await uploadOf(body)) };
    return (await this.http.json(request, createdSchema)).fileId;
  }

  /** Replaces the content: emptied first, then written. With an offset only these bytes. ⚠ Not atomic. */
  async putContent(
    id: string,
    body: { readonly size: number; readonly bytes: AsyncIterable<Uint8Array> },
    { offset, ...context }: CallContext & { readonly offset?: number } = {},
  ): Promise<void> {
    const query = offset === undefined ? '' : `?offset=${offset}`;
    const url = `${OP}/data/${encodeURIComponent(id)}/content${query}`;
    await this.http.done({ method: 'PUT', url, ...context, ...(await uploadOf(body)) });
  }

  /** ⚠ A directory goes with all that is in it. @throws not-found */
  async remove(id: string, context: CallContext = {}): Promise<void> {
    await this.http.done({ method: 'DELETE', url: `${OP}/data/${encodeURIComponent(id)}`, ...context });
  }

  /** CDMI is the only way to rename. The trailing slash tells directories from files. */
  async move(
    spaceName: string,
    from: { readonly path: string; readonly id?: string | undefined },
    to: string,
    isDirectory: boolean,
    context: CallContext = {},
  ): Promise<void> {
    const space = `${spaceName}@${this.#spaceId}`;
    await this.http.done({
      method: 'PUT',
      url: `/cdmi/${encodePath(`${space}/${to}`)}${isDirectory ? '/' : ''}`,
      headers: {
        'x-cdmi-specification-version': '1.1.1',
        'content-type': isDirectory ? 'application/cdmi-container' : 'application/cdmi-object',
      },
      // By id it is this very file, whatever its path is by now.
      body: JSON.stringify({
        move: from.id === undefined ? `${space}/${from.path}` : `/cdmi_objectid/${from.id}`,
      }),
      ...context,
    });
  }

  /** A new file with the content of another, which the provider reads and writes itself. ⚠ Answers when that is done. */
  async copy(spaceName: string, id: string, to: string, context: CallContext = {}): Promise<void> {
    await this.http.done({
      method: 'PUT',
      url: `/cdmi/${encodePath(`${spaceName}@${this.#spaceId}/${to}`)}`,
      headers: { 'x-cdmi-specification-version': '1.1.1', 'content-type': 'application/cdmi-object' },
      body: JSON.stringify({ copy: `/cdmi_objectid/${id}` }),
      ...context,
    });
  }

  async #hasNewAttributes(context: CallContext): Promise<boolean> {
    const { signal } = context;
    return isVersionAtLeast((await this.configuration({ signal })).version, [21, 2, 5]);
  }
}

function queryOf(pairs: readonly (readonly [string, string] | readonly string[])[]): string {
  return `?${pairs.map(([key, value]) => `${key}=${encodeURIComponent(value ?? '')}`).join('&')}`;
}

type Upload = { readonly size: number; readonly bytes: AsyncIterable<Uint8Array> };

/** Up to this size a body is one message to the connections. */
const SHORT_BYTES = 1 << 18;

async function uploadOf(body: Upload | undefined): Promise<Pick<HttpRequest, 'headers' | 'body'>> {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body?.size ?? 0) };
  if (body === undefined || body.size === 0) return { headers };
  return { headers, body: body.size > SHORT_BYTES ? body.bytes : await gathered(body) };
}

async function gathered({ size, bytes }: Upload): Promise<Uint8Array> {
  const all = new Uint8Array(size);
  let at = 0;
  for await (const chunk of bytes) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}
