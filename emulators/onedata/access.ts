import type { Caveat } from './tokens.ts';

/** What data caveats leave of a place: all of it, only the way to something below it, or nothing. */
export type Access = 'full' | 'ancestor' | 'none';

/** Root first: ids and names of a file's directories and of the file itself, below the space root. */
export interface Place {
  readonly spaceId: string;
  readonly names: readonly string[];
  /** File ids from the space root down to the file itself (one more than names). */
  readonly fileIds: readonly string[];
}

/** The data caveats of one token. Several caveats of one kind must all hold. */
export class DataScope {
  readonly isReadonly: boolean;
  readonly isLimited: boolean;
  readonly #paths: readonly (readonly { spaceId: string; names: readonly string[] }[])[];
  readonly #objectIds: readonly (readonly string[])[];
  readonly #placeOf: (fileId: string) => Place | undefined;

  constructor(caveats: readonly Caveat[], placeOf: (fileId: string) => Place | undefined) {
    this.isReadonly = caveats.some(({ type }) => type === 'data.readonly');
    this.#paths = caveats.flatMap((caveat) =>
      caveat.type === 'data.path' ? [caveat.whitelist.map(parsePath)] : [],
    );
    this.#objectIds = caveats.flatMap((caveat) =>
      caveat.type === 'data.objectid' ? [caveat.whitelist] : [],
    );
    this.isLimited = this.isReadonly || this.#paths.length > 0 || this.#objectIds.length > 0;
    this.#placeOf = placeOf;
  }

  accessTo(place: Place): Access {
    const results = [
      ...this.#paths.map((whitelist) => best(whitelist.map((allowed) => alongPath(place, allowed)))),
      ...this.#objectIds.map((whitelist) => best(whitelist.map((id) => this.#alongIds(place, id)))),
    ];
    if (results.includes('none')) return 'none';
    return results.includes('ancestor') ? 'ancestor' : 'full';
  }

  seesSpace(spaceId: string, rootFileId: string): boolean {
    return this.accessTo({ spaceId, names: [], fileIds: [rootFileId] }) !== 'none';
  }

  #alongIds(place: Place, allowedId: string): Access {
    if (place.fileIds.includes(allowedId)) return 'full';
    const own = place.fileIds.at(-1);
    const allowed = this.#placeOf(allowedId);
    return own !== undefined && allowed?.fileIds.includes(own) ? 'ancestor' : 'none';
  }
}

function best(results: readonly Access[]): Access {
  if (results.includes('full')) return 'full';
  return results.includes('ancestor') ? 'ancestor' : 'none';
}

function alongPath(place: Place, allowed: { spaceId: string; names: readonly string[] }): Access {
  if (place.spaceId !== allowed.spaceId) return 'none';
  const common = Math.min(place.names.length, allowed.names.length);
  for (let index = 0; index < common; index++) if (place.names[index] !== allowed.names[index]) return 'none';
  return place.names.length >= allowed.names.length ? 'full' : 'ancestor';
}

/** `/<spaceId>/dir/…` in base64. */
function parsePath(encoded: string): { spaceId: string; names: readonly string[] } {
  const [, spaceId = '', ...names] = Buffer.from(encoded, 'base64').toString('utf8').split('/');
  return { spaceId, names };
}

export const pathCaveat = (spaceIds: readonly string[]): Caveat => ({
  type: 'data.path',
  whitelist: spaceIds.map((spaceId) => Buffer.from(`/${spaceId}`).toString('base64')),
});
