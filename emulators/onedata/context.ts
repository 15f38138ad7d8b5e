import { type Access, DataScope, type Place } from './access.ts';
import type { EmulatorConfiguration, SpaceConfiguration } from './configuration.ts';
import type { Faults } from './faults.ts';
import { ApiError, badInput, forbidden, posix, spaceNotSupported, unauthorized } from './http/api-error.ts';
import type { Call } from './http/call.ts';
import type { Provider } from './provider/provider.ts';
import type { Refusals } from './refusals.ts';
import type { Entry } from './store/entry.ts';
import { nowSeconds, rootUuid } from './store/file-tree.ts';
import { decodeFileId, fileId, guid, type SpaceRecord, type Spaces } from './store/spaces.ts';
import type { MintRequest, Token, TokenAuthority } from './tokens.ts';

/** Everything that the endpoints share. */
export interface Context {
  readonly configuration: EmulatorConfiguration;
  readonly spaces: Spaces;
  readonly tokens: TokenAuthority;
  readonly faults: Faults;
  readonly refusals: Refusals;
  /** The provider that is asked; at the zone the first one. */
  readonly provider: Provider;
  readonly providers: readonly [Provider, ...Provider[]];
  /** Codes of archive downloads → uuid of the directory. */
  readonly downloads: Map<
    string,
    { readonly uuid: string; readonly scope: DataScope; readonly userId: string }
  >;
  /** Host name with the port where it is not 443, as clients see it. */
  readonly zoneDomain: string;
}

/** The first user is a member of every space. */
export function isMember({ configuration }: Context, userId: string, spaceId: string): boolean {
  if (userId === configuration.userId) return true;
  return configuration.users.find(({ id }) => id === userId)?.spaces.includes(spaceId) ?? false;
}

/** The header that is looked at first wins: X-Auth-Token, Authorization: Bearer, Macaroon. */
export function tokenOf(call: Call): string | undefined {
  const { headers } = call.request;
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  return [headers['x-auth-token'], bearer, headers.macaroon].flat().find((value) => value);
}

/** @throws ApiError the token error itself */
function verified(
  context: Context,
  text: string,
  { consumerToken, peerAddress }: { readonly consumerToken: string; readonly peerAddress: string },
): Token {
  const token = context.tokens.verify(text, {
    now: nowSeconds(),
    peerAddress,
    service: `opw-${context.provider.id}`,
    interface: 'rest',
    ...(consumerToken === '' ? {} : { consumerToken }),
  });
  const isServed = context.spaces
    .list()
    .some(
      (space) => context.provider.supports(space) && isMember(context, token.identity.subject.id, space.id),
    );
  if (!isServed) throw new ApiError(400, 'userNotSupported');
  return token;
}

/** One authenticated request to the provider: finds files and says what the token may do with them. */
export class Session {
  readonly context: Context;
  readonly scope: DataScope;
  readonly userId: string;

  constructor(context: Context, scope: DataScope, userId: string) {
    this.context = context;
    this.scope = scope;
    this.userId = userId;
  }

  /** @throws ApiError 401 with the token error inside */
  static authenticate(context: Context, call: Call): Session {
    const text = tokenOf(call);
    if (text === undefined) throw unauthorized();
    const header = call.request.headers['x-onedata-consumer-token'];
    const consumerToken = typeof header === 'string' ? header : '';
    const peerAddress = call.request.socket.remoteAddress ?? '';
    const question = [context.provider.id, text, consumerToken, peerAddress];
    try {
      const { refusalMemoryMilliseconds } = context.faults;
      const token = context.refusals.check(question, refusalMemoryMilliseconds, () =>
        verified(context, text, { consumerToken, peerAddress }),
      );
      const scope = new DataScope(token.caveats, (id) => context.spaces.placeOfId(id));
      return new Session(context, scope, token.identity.subject.id);
    } catch (error) {
      throw error instanceof ApiError ? unauthorized(error) : error;
    }
  }

  visibleSpaces(): SpaceRecord[] {
    return this.context.spaces
      .list()
      .filter(
        (space) => this.context.provider.supports(space) && this.#isMember(space.id) && this.sees(space),
      );
  }

  sees(space: SpaceRecord): boolean {
    return this.scope.seesSpace(space.id, guid(rootUuid(space.id), space.id));
  }

  /** @throws ApiError `spaceNotSupportedBy`, `forbidden` */
  space(spaceId: string): SpaceRecord {
    const space = this.context.spaces.space(spaceId);
    if (!space || !this.#isMember(spaceId)) throw forbidden();
    this.#assertSupported(space);
    if (!this.sees(space)) throw posix('eacces');
    return space;
  }

  /** A file id or a bare space id. @throws ApiError as the table of errors says for each kind of wrong id */
  entry(id: string): Entry {
    const { spaces, provider } = this.context;
    const space = spaces.space(id);
    if (space && provider.supports(space)) {
      if (!this.#isMember(id)) throw forbidden();
      return spaces.root(id);
    }
    const decoded = decodeFileId(id);
    if (!decoded) throw spaceNotSupported(id, provider.id);
    const owner = spaces.space(decoded.spaceId);
    if (!owner || !this.#isMember(owner.id)) throw forbidden();
    this.#assertSupported(owner);
    const entry = spaces.tree.byUuid(decoded.uuid);
    if (!entry || !this.#isAlive(entry)) throw posix('enoent');
    return entry;
  }

  #isMember(spaceId: string): boolean {
    return isMember(this.context, this.userId, spaceId);
  }

  #assertSupported(space: SpaceRecord): void {
    const { provider } = this.context;
    if (!provider.supports(space)) throw spaceNotSupported(space.id, provider.id);
  }

  #isAlive(entry: Entry): boolean {
    // The trash itself can be looked at; what was removed with its directory is gone for everyone.
    return entry.parent === null || this.context.spaces.isInTree(entry);
  }

  place(entry: Entry): Place {
    return (
      this.context.spaces.placeOf(entry) ?? {
        spaceId: entry.space,
        names: ['.trash'],
        fileIds: [fileId(entry)],
      }
    );
  }

  access(entry: Entry): Access {
    return this.scope.isLimited ? this.scope.accessTo(this.place(entry)) : 'full';
  }

  /** For looking, stat and listing: the way to an allowed place may be seen. @throws ApiError `eacces` */
  assertVisible(entry: Entry): void {
    if (this.access(entry) === 'none') throw posix('eacces');
  }

  /** @throws ApiError `eacces` */
  assertReadable(entry: Entry): void {
    if (this.access(entry) !== 'full') throw posix('eacces');
  }

  /** @throws ApiError `eacces`, also for tokens with `data.readonly`; `erofs` where the storage can only be read */
  assertWritable(entry: Entry): void {
    if (this.scope.isReadonly || this.access(entry) !== 'full') throw posix('eacces');
    if (this.context.provider.isReadonly(entry.space)) throw posix('erofs');
  }

  visibleChild(parentPlace: Place, child: Entry): boolean {
    if (!this.scope.isLimited) return true;
    const place: Place = {
      spaceId: child.space,
      names: [...parentPlace.names, child.name],
      fileIds: [...parentPlace.fileIds, fileId(child)],
    };
    return this.scope.accessTo(place) !== 'none';
  }

  /** @throws ApiError `enoent`, `enotdir`, `badValueFilePath` */
  descend(base: Entry, names: readonly string[]): Entry {
    let entry = base;
    for (const name of names) {
      if (entry.type !== 'DIR') throw posix('enotdir');
      const child = this.context.spaces.tree.child(entry.uuid, name);
      if (!child) throw posix('enoent');
      entry = child;
    }
    return entry;
  }

  /** Follows links to what they lead to; targets are relative or start with `<__onedata_space_id:SID>`. */
  follow(entry: Entry, hops = 0): Entry {
    if (entry.type !== 'SYMLNK') return entry;
    if (hops > 40 || entry.target === null || entry.parent === null) throw posix('enoent');
    const absolute = /^<__onedata_space_id:([^>]+)>\/?(.*)$/s.exec(entry.target);
    if (!absolute && entry.target.startsWith('/')) throw posix('enoent');
    let current = absolute ? this.entry(absolute[1] as string) : this.#parent(entry);
    for (const name of (absolute ? (absolute[2] as string) : entry.target).split('/')) {
      if (name === '' || name === '.') continue;
      current = this.follow(current, hops + 1);
      current = name === '..' ? this.#parent(current) : this.descend(current, [name]);
    }
    return this.follow(current, hops + 1);
  }

  #parent(entry: Entry): Entry {
    const parent = entry.parent === null ? entry : this.context.spaces.tree.byUuid(entry.parent);
    if (!parent) throw posix('enoent');
    return parent;
  }

  /** `Name`, `Name@SpaceId`, split at the first `@`. */
  spaceByName(text: string): SpaceRecord {
    const at = text.indexOf('@');
    const name = at < 0 ? text : text.slice(0, at);
    const id = at < 0 ? undefined : text.slice(at + 1);
    const found = this.context.spaces
      .list()
      .filter((space) => space.name === name && (id === undefined || space.id === id))
      .find((space) => this.#isMember(space.id) && this.sees(space));
    if (!found) throw posix('enoent');
    this.#assertSupported(found);
    return found;
  }
}

/** Segments of a path inside a space. @throws ApiError `badValueFilePath` for `..` and NUL */
export function pathNames(segments: readonly string[]): string[] {
  const names = segments.filter((name) => name !== '' && name !== '.');
  if (names.some((name) => name === '..' || name.includes('\0'))) throw badInput('badValueFilePath');
  return names;
}

const RESERVED = new Set(['.trash', '.__onedata__tmp']);

/** @throws ApiError `einval`, or `eperm` for the special directories of a space root */
export function assertName(parent: Entry, name: string): void {
  const isLegal = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && name.isWellFormed();
  if (!isLegal || Buffer.byteLength(name) > 255) throw posix('einval');
  if (parent.parent === null && RESERVED.has(name)) throw posix('eperm');
}

/** Such names exist but are in no listing. */
export const isHidden = (name: string) => name.startsWith('.__onedata__') || name.includes('####TO_DELETE');

/** A running emulator. Everything the admin API does is here as a method, for tests in the same process. */
export interface Emulator {
  readonly context: Context;
  readonly port: number;
  /** Host with the port where it is not 443, as a client is configured. */
  readonly providerHost: string;
  readonly zoneHost: string;
  readonly authorityPem: string;
  readonly authorityFile: string;
  readonly adminSocket: string;
  /** Name → file with the token, mode 0600. */
  readonly tokenFiles: Readonly<Record<string, string>>;
  mint(request?: MintRequest): { token: string; id: string };
  revoke(tokenId: string): void;
  /** Ends all temporary tokens of a user. */
  revokeTemporary(userId: string): void;
  addSpace(space: SpaceConfiguration): Promise<void>;
  close(): Promise<void>;
}
