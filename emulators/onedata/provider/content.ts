import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Context, Session } from '../context.ts';
import type { FaultAction } from '../faults.ts';
import { BareStatus, posix } from '../http/api-error.ts';
import { sendBody, sendFileRange, uploadOf } from '../http/bodies.ts';
import { booleanParameter, brokenBody, type Call, sendHead, sendNothing } from '../http/call.ts';
import { SMALL_BYTES } from '../store/content-store.ts';
import type { Entry } from '../store/entry.ts';
import { nowSeconds } from '../store/file-tree.ts';

type BrokenUpload = Extract<FaultAction, { kind: 'refuse-body' | 'cut-upload' }>;

interface Range {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** ⚠ Anything that no byte answers, any range of an empty file among it, is 416 with an empty body. */
export function parseRanges(header: string | undefined, size: number): Range[] | undefined {
  if (header === undefined) return undefined;
  const unsatisfiable = new BareStatus(416, { 'content-range': `bytes */${size}` });
  const match = /^bytes=(.+)$/.exec(header.trim());
  if (!match) throw unsatisfiable;
  return (match[1] as string).split(',').map((part) => {
    const [, first = '', last = ''] = /^\s*(\d*)-(\d*)\s*$/.exec(part) ?? [];
    if (first === '' && last === '') throw unsatisfiable;
    const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
    if (start >= size || start > end) throw unsatisfiable;
    return { start, end };
  });
}

/** `GET data/{id}/content`, `GET data/{id}/path/{rel}`. */
export async function download(session: Session, call: Call, asked: Entry): Promise<void> {
  session.assertReadable(asked);
  const isFollowing = booleanParameter(call.query, 'follow_symlinks', true);
  const entry = isFollowing ? session.follow(asked) : asked;
  session.assertReadable(entry);
  if (entry.type === 'DIR') {
    const code = randomBytes(16).toString('hex');
    session.context.downloads.set(code, { uuid: entry.uuid, scope: session.scope, userId: session.userId });
    sendNothing(call, 302, { location: `https://${session.context.provider.domain}/download/${code}` });
    return;
  }
  if (entry.type === 'SYMLNK') {
    const text = Buffer.from(entry.target ?? '');
    sendHead(call, 200, {
      'content-type': 'application/octet-stream',
      'content-length': text.length,
    });
    call.response.end(text);
    return;
  }
  await sendFile(session.context, call, entry);
}

async function sendFile(context: Context, call: Call, entry: Entry): Promise<void> {
  const { contents } = context.spaces;
  const small = contents.small(entry.inode);
  const size = small?.length ?? (await contents.size(entry.inode));
  const ranges = parseRanges(call.request.headers.range, size);
  const headers = {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(entry.name)}`,
    'accept-ranges': 'bytes',
  };
  if (ranges && ranges.length > 1) {
    const boundary = randomBytes(12).toString('hex');
    sendHead(call, 206, {
      ...headers,
      'content-type': `multipart/byteranges; boundary=${boundary}`,
    });
    await sendBody(call, Readable.from(parts(context, entry, ranges, size, boundary)), context.faults);
    return;
  }
  const range = ranges?.[0] ?? { start: 0, end: size - 1 };
  sendHead(call, ranges ? 206 : 200, {
    ...headers,
    'content-length': range.end - range.start + 1,
    ...(ranges ? { 'content-range': `bytes ${range.start}-${range.end}/${size}` } : {}),
  });
  if (small !== undefined && context.faults.bytesPerSecond <= 0 && call.faults.length === 0) {
    call.response.end(small.subarray(range.start, range.end + 1));
    return;
  }
  if (brokenBody(call) !== undefined || small !== undefined || size === 0) {
    const source = size === 0 ? Readable.from([]) : contents.read(entry.inode, range.start, range.end);
    await sendBody(call, source, context.faults);
    return;
  }
  await contents.reading(entry.inode, (read) => sendFileRange(call, read, range, context.faults));
}

async function* parts(
  context: Context,
  entry: Entry,
  ranges: readonly Range[],
  size: number,
  boundary: string,
) {
  for (const { start, end } of ranges) {
    yield Buffer.from(
      `\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\ncontent-range: bytes ${start}-${end}/${size}\r\n\r\n`,
    );
    yield* context.spaces.contents.read(entry.inode, start, end);
  }
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

/** `PUT data/{id}/content`: without an offset the file is emptied first. ⚠ Readers see every state in between. */
export async function upload(
  session: Session,
  call: Call,
  asked: Entry,
  offset: number | undefined,
): Promise<void> {
  const entry = session.follow(asked);
  session.assertWritable(entry);
  if (entry.type === 'DIR') throw posix('eisdir');
  const { spaces } = session.context;
  if (offset === undefined) {
    await spaces.contents.empty(entry.inode);
    spaces.setSize(entry, 0);
    spaces.tree.touch(entry.inode);
  }
  await receiveContent(session, call, entry, offset ?? 0, call.request);
  await spaces.tree.settled();
  sendNothing(call);
}

/** Writes the body of a request; what came before a break stays. @throws ApiError `enospc` */
export async function receiveContent(
  session: Session,
  call: Call,
  entry: Entry,
  offset: number,
  request: IncomingMessage,
): Promise<void> {
  const { spaces, faults } = session.context;
  const isEmpty = request.headers['content-length'] === '0' || !hasBody(request);
  if (isEmpty) return;
  const broken = call.faults.find(
    (action): action is BrokenUpload => action.kind === 'refuse-body' || action.kind === 'cut-upload',
  );
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  // Of a file that comes in parts, the first may be the last one to come.
  const isPart = call.query.offset !== undefined;
  if (length <= SMALL_BYTES && !isPart && entry.size === 0 && broken === undefined) {
    await receiveSmall(session, call, entry);
    return;
  }
  spaces.tree.set(entry.inode, { writing: 1 });
  await spaces.tree.settled();
  const file = await spaces.contents.write(entry.inode, offset);
  let end = offset;
  const record = async () => {
    await file.end();
    const size = await spaces.contents.size(entry.inode);
    spaces.setSize(entry, size);
    spaces.tree.set(entry.inode, { writing: 0, mtime: nowSeconds(), ctime: nowSeconds() });
  };
  try {
    for await (const chunk of uploadOf(call, faults)) {
      spaces.assertRoom(entry.space);
      const room = broken === undefined ? chunk.length : broken.afterBytes - (end - offset);
      await file.write(chunk.subarray(0, room));
      end += Math.min(room, chunk.length);
      spaces.growTo(entry, end);
      if (broken !== undefined && room < chunk.length) breakOff(call, broken);
    }
    if (!request.complete) throw posix('ecanceled');
  } finally {
    await record();
  }
}

async function receiveSmall(session: Session, call: Call, entry: Entry): Promise<void> {
  const { spaces, faults } = session.context;
  const { request } = call;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of uploadOf(call, faults)) {
      spaces.assertRoom(entry.space);
      size += chunk.length;
      chunks.push(chunk);
    }
    if (!request.complete) throw posix('ecanceled');
  } finally {
    const now = nowSeconds();
    spaces.tree.atomically(() => {
      spaces.contents.keepSmall(
        entry.inode,
        chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
      );
      spaces.setSize(entry, size, { mtime: now, ctime: now });
    });
  }
}

function breakOff({ request }: Call, action: BrokenUpload): never {
  if (action.kind === 'cut-upload') request.socket.destroy();
  throw posix(action.kind === 'cut-upload' ? 'ecanceled' : action.errno);
}

const hasBody = (request: IncomingMessage) =>
  request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
