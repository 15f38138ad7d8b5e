import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { SpaceCapabilities } from '../spaces/space.ts';
import { isIgnoredAtRoot } from './model.ts';

/** Keeps the bytes behind the encoded names; content-addressed, so an entry is never changed. */
export interface NameStore {
  rememberName(encoded: string, raw: Uint8Array): void;
  rawName(encoded: string): Uint8Array | null;
}

const ENCODED = /\.scipion-name-[0-9a-f]{24}$/;

/**
 * Local names are bytes, names in a space are text with rules of its own. A name that the space cannot hold gets
 * `<what is readable>.scipion-name-<24 hex digits of the SHA-256 of its bytes>`; the bytes are kept in the state and
 * in the manifest.
 */
export class NameCodec {
  readonly #store: NameStore;
  readonly #capabilities: SpaceCapabilities;

  constructor(store: NameStore, capabilities: SpaceCapabilities) {
    this.#store = store;
    this.#capabilities = capabilities;
  }

  /** The name in the space for the bytes of a local name. @param parent path of its directory */
  encode(raw: Buffer, parent: string): string {
    const text = raw.toString('utf8');
    if (isUtf8(raw) && this.#holds(text) && !(parent === '' && isIgnoredAtRoot(text))) return text;
    const encoded = encodedName(raw);
    this.#store.rememberName(encoded, raw);
    return encoded;
  }

  /** The bytes of a local path. An encoded name whose bytes nobody knows any more stands for itself. */
  bytes(path: string): Buffer {
    if (!path.includes('.scipion-name-')) return Buffer.from(path, 'utf8');
    const parts = path.split('/').map((name) => this.rawOf(name) ?? Buffer.from(name, 'utf8'));
    return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from('/'), part])));
  }

  /** The bytes behind an encoded name, null for an ordinary one. */
  rawOf(name: string): Buffer | null {
    if (!ENCODED.test(name)) return null;
    const raw = this.#store.rawName(name);
    return raw === null ? null : Buffer.from(raw);
  }

  #holds(name: string): boolean {
    const { maxNameBytes, reservedNamePrefixes, reservedNameParts } = this.#capabilities;
    return (
      Buffer.byteLength(name) <= maxNameBytes &&
      !ENCODED.test(name) &&
      !reservedNamePrefixes.some((prefix) => name.startsWith(prefix)) &&
      !reservedNameParts.some((part) => name.includes(part))
    );
  }
}

export function encodedName(raw: Uint8Array): string {
  const readable = Buffer.from(raw)
    .toString('latin1')
    .replace(/[^A-Za-z0-9 _-]/g, '_')
    .slice(0, 150);
  return `${readable}.scipion-name-${createHash('sha256').update(raw).digest('hex').slice(0, 24)}`;
}

/** Checks a name and its bytes as they come from a manifest: nothing but a plain name, and the right one. */
export function isEncodingOf(encoded: string, raw: Uint8Array): boolean {
  const bytes = Buffer.from(raw);
  const plain =
    !bytes.includes(0) && !bytes.includes(0x2f) && !['', '.', '..'].includes(bytes.toString('latin1'));
  return plain && bytes.length <= 255 && encodedName(raw) === encoded;
}

/** Pure. `a/notes (restored 20261122T130501Z).txt` @param what stands between the brackets */
export function besides(path: string, what: string): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf('.');
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  const mark = ` (${what})`;
  // Whole characters are cut until the name fits into 255 bytes.
  const characters = [...stem];
  while (characters.length > 0 && Buffer.byteLength(characters.join('') + mark + ending) > 255)
    characters.pop();
  return path.slice(0, slash) + characters.join('') + mark + (Buffer.byteLength(ending) > 100 ? '' : ending);
}
