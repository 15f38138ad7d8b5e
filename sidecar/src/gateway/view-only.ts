/**
 * The part of VNC (RFC 6143 and TigerVNC's extensions) that lets a browser look at the desktop and nothing else. Each
 * direction is read message by message; what carries keys, the mouse, a clipboard or a size is left out, and what is not
 * known ends the connection. So a link that only shows the desktop does not depend on the page that opens it.
 */

/** What came is no message that somebody who only looks may send or get. */
export class ViewOnlyError extends Error {
  override readonly name = 'ViewOnlyError';
}

/** `look` hands over so many bytes and passes nothing on; `send` passes on what it holds. */
type Step =
  | { readonly look: number }
  | { readonly pass: number }
  | { readonly drop: number }
  | { readonly send: Buffer };
type Script = Generator<Step, void, Buffer>;

/** Runs a script over bytes that come in pieces of any size. */
class Filter {
  readonly #script: Script;
  #step: Step | undefined;
  #left = 0;
  #looked: Buffer[] = [];
  #kept: Buffer[] = [];

  constructor(script: Script) {
    this.#script = script;
    this.#next(Buffer.alloc(0));
  }

  /** What of this piece, and of what was held back before, is passed on; a copy. @throws ViewOnlyError */
  push(piece: Buffer): Buffer {
    let at = 0;
    while (at < piece.length && this.#step !== undefined) {
      const taken = piece.subarray(at, at + this.#left);
      at += taken.length;
      this.#left -= taken.length;
      if ('pass' in this.#step) this.#kept.push(taken);
      if ('look' in this.#step) this.#looked.push(Buffer.from(taken));
      if (this.#left === 0) this.#next(Buffer.concat(this.#looked));
    }
    return Buffer.concat(this.#kept.splice(0));
  }

  #next(looked: Buffer): void {
    this.#looked = [];
    let given = looked;
    do {
      const { value, done } = this.#script.next(given);
      given = Buffer.alloc(0);
      this.#step = done ? undefined : value;
      if (value === undefined) return;
      if ('send' in value) this.#kept.push(value.send);
      else this.#left = 'look' in value ? value.look : 'pass' in value ? value.pass : value.drop;
    } while (this.#left === 0);
  }
}

const VERSION = 'RFB 003.008\n';
const SECURITY_NONE = 1;
const MAX_ENCODINGS = 256;
const MAX_FENCE_BYTES = 64;

/** Pixel, in bits: what noVNC asks for, and all that is read here. */
const PIXEL_BITS = 32;
const DEPTH = 24;
const PIXEL_BYTES = PIXEL_BITS / 8;
/** Of Tight, which leaves out the byte that says nothing. */
const TIGHT_PIXEL_BYTES = 3;

const ENCODINGS = { raw: 0, copyRect: 1, tight: 7 } as const;
const PSEUDO = { desktopSize: -223, lastRect: -224, cursor: -239, fence: -312, updates: -313 } as const;
const MAY_BE_ASKED: ReadonlySet<number> = new Set([...Object.values(ENCODINGS), ...Object.values(PSEUDO)]);

/** Whether the encoding can be read here, or is only the wish for a quality or an effort. */
function mayBeAsked(encoding: number): boolean {
  return (
    MAY_BE_ASKED.has(encoding) ||
    (encoding >= -32 && encoding <= -23) ||
    (encoding >= -256 && encoding <= -247) ||
    (encoding >= -512 && encoding <= -412)
  );
}

/** Skips this many bytes of a message that is not for this one. */
function* skip(count: number): Script {
  if (count > 0) yield { drop: count };
}

function* pass(count: number): Script {
  if (count > 0) yield { pass: count };
}

/** Reads and passes on. */
function* read(count: number): Generator<Step, Buffer, Buffer> {
  const bytes = yield { look: count };
  yield { send: bytes };
  return bytes;
}

function assertPixels(format: Buffer): void {
  const [bits, depth, , isTrueColour] = format;
  if (bits !== PIXEL_BITS || depth !== DEPTH || isTrueColour !== 1) {
    throw new ViewOnlyError(
      `pixels of ${bits} bits, ${depth} of them of colour; expected ${PIXEL_BITS} and ${DEPTH}`,
    );
  }
}

function* fromBrowser(): Script {
  const version = yield* read(VERSION.length);
  if (version.toString('latin1') !== VERSION) throw new ViewOnlyError('another version of the protocol');
  const [security] = yield* read(1);
  if (security !== SECURITY_NONE) throw new ViewOnlyError(`security ${security}`);
  // Others stay connected, whatever was asked.
  yield { look: 1 };
  yield { send: Buffer.of(1) };
  for (;;) {
    const type = yield { look: 1 };
    switch (type[0]) {
      case 0: {
        const format = yield { look: 19 };
        assertPixels(format.subarray(3));
        yield { send: Buffer.concat([type, format]) };
        break;
      }
      case 2:
        yield { send: yield* encodings() };
        break;
      // Asks for a picture.
      case 3:
      // Asks for pictures without being asked again.
      case 150:
        yield { send: type };
        yield* pass(9);
        break;
      // Key, pointer, clipboard, size, QEMU's key, XVP.
      case 4:
        yield* skip(7);
        break;
      case 5:
        yield* skip(5);
        break;
      case 6: {
        const head = yield { look: 7 };
        yield* skip(Math.abs(head.readInt32BE(3)));
        break;
      }
      case 251: {
        const head = yield { look: 7 };
        yield* skip(16 * (head[5] as number));
        break;
      }
      case 255:
        yield* skip(11);
        break;
      case 250:
        yield* skip(3);
        break;
      case 248:
        yield { send: type };
        yield* fence();
        break;
      default:
        throw new ViewOnlyError(`message ${type[0]} of a browser`);
    }
  }
}

/** The list of what may be sent, without what cannot be read here. */
function* encodings(): Generator<Step, Buffer, Buffer> {
  const head = yield { look: 3 };
  const count = head.readUInt16BE(1);
  if (count > MAX_ENCODINGS) throw new ViewOnlyError(`${count} encodings`);
  const list = count === 0 ? Buffer.alloc(0) : yield { look: 4 * count };
  const kept: Buffer[] = [];
  for (let at = 0; at < list.length; at += 4) {
    if (mayBeAsked(list.readInt32BE(at))) kept.push(list.subarray(at, at + 4));
  }
  return Buffer.concat([Buffer.of(2, 0, kept.length >> 8, kept.length & 255), ...kept]);
}

function* fence(): Script {
  const head = yield* read(8);
  const length = head[7] as number;
  if (length > MAX_FENCE_BYTES) throw new ViewOnlyError(`a fence of ${length} bytes`);
  yield* pass(length);
}

function* fromDesktop(): Script {
  yield* pass(VERSION.length);
  const [types = 0] = yield* read(1);
  if (types === 0) throw new ViewOnlyError('the desktop refuses');
  yield* pass(types);
  const result = yield* read(4);
  if (result.readUInt32BE() !== 0) throw new ViewOnlyError('the desktop refuses');
  const init = yield* read(24);
  assertPixels(init.subarray(4));
  yield* pass(init.readUInt32BE(20));
  for (;;) {
    const type = yield { look: 1 };
    if (type[0] === 3) {
      const head = yield { look: 7 };
      yield* skip(Math.abs(head.readInt32BE(3)));
      continue;
    }
    yield { send: type };
    switch (type[0]) {
      case 0:
        yield* picture();
        break;
      // Colours of a palette; the bell; the end of pictures without being asked.
      case 1: {
        const head = yield* read(5);
        yield* pass(6 * head.readUInt16BE(3));
        break;
      }
      case 2:
      case 150:
        break;
      case 248:
        yield* fence();
        break;
      default:
        throw new ViewOnlyError(`message ${type[0]} of the desktop`);
    }
  }
}

function* picture(): Script {
  const head = yield* read(3);
  const count = head.readUInt16BE(1);
  for (let number = 0; number < count; number += 1) {
    const rectangle = yield* read(12);
    const [width, height] = [rectangle.readUInt16BE(4), rectangle.readUInt16BE(6)];
    const encoding = rectangle.readInt32BE(8);
    switch (encoding) {
      case ENCODINGS.raw:
        yield* pass(width * height * PIXEL_BYTES);
        break;
      case ENCODINGS.copyRect:
        yield* pass(4);
        break;
      case ENCODINGS.tight:
        yield* tight(width, height);
        break;
      case PSEUDO.desktopSize:
        break;
      case PSEUDO.cursor:
        yield* pass(width * height * PIXEL_BYTES + Math.ceil(width / 8) * height);
        break;
      case PSEUDO.lastRect:
        return;
      default:
        throw new ViewOnlyError(`encoding ${encoding}`);
    }
  }
}

/** @see https://github.com/rfbproto/rfbproto/blob/master/rfbproto.rst#tight-encoding */
function* tight(width: number, height: number): Script {
  const [control = 0] = yield* read(1);
  const kind = control >> 4;
  if (kind === 8) {
    yield* pass(TIGHT_PIXEL_BYTES);
    return;
  }
  if (kind > 9) throw new ViewOnlyError(`compression ${kind} of Tight`);
  let length = width * height * TIGHT_PIXEL_BYTES;
  if (kind < 8 && (kind & 4) !== 0) {
    const [filter] = yield* read(1);
    if (filter === 1) {
      const [last = 0] = yield* read(1);
      yield* pass((last + 1) * TIGHT_PIXEL_BYTES);
      length = last === 1 || last === 0 ? Math.ceil(width / 8) * height : width * height;
    } else if (filter !== 0 && filter !== 2) throw new ViewOnlyError(`filter ${filter} of Tight`);
  }
  // So little is sent as it is.
  if (kind < 8 && length < 12) {
    yield* pass(length);
    return;
  }
  length = 0;
  for (let shift = 0; shift <= 14; shift += 7) {
    const [byte = 0] = yield* read(1);
    length |= (shift === 14 ? byte : byte & 127) << shift;
    if ((byte & 128) === 0) break;
  }
  yield* pass(length);
}

/** Both directions of one connection. */
export class ViewOnlyFilter {
  readonly #fromBrowser = new Filter(fromBrowser());
  readonly #fromDesktop = new Filter(fromDesktop());

  /** What the desktop gets of what the browser sent. @throws ViewOnlyError */
  toDesktop(piece: Buffer): Buffer {
    return this.#fromBrowser.push(piece);
  }

  /** What the browser gets of what the desktop sent. @throws ViewOnlyError */
  toBrowser(piece: Buffer): Buffer {
    return this.#fromDesktop.push(piece);
  }
}
