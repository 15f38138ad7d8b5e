import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener, ServerResponse } from 'node:http';
import * as z from 'zod';
import { spaceSchema } from '../configuration.ts';
import type { Emulator } from '../context.ts';
import { faultRuleSchema, settingsSchema } from '../faults.ts';
import { decode, readBody } from '../http/call.ts';
import { readArchive } from '../store/archive.ts';
import type { Entry } from '../store/entry.ts';
import type { Spaces } from '../store/spaces.ts';
import { caveatsSchema } from '../tokens.ts';

const mintSchema = z.strictObject({
  caveats: caveatsSchema.default([]),
  kind: z.enum(['access', 'identity', 'invite']).default('access'),
  persistence: z.enum(['named', 'temporary']).default('named'),
  userId: z.string().optional(),
});

/** A file that another provider makes at the same time under the same name. */
const conflictSchema = z.strictObject({ path: z.string(), provider: z.string(), text: z.string() });

const scriptSchema = z.strictObject({ seed: z.int().default(1), rules: z.array(faultRuleSchema) });

class NotServed extends Error {}

/** One line of a tree dump; what end-to-end tests compare byte for byte. */
export interface TreeEntry {
  /** Relative to the space root. */
  readonly path: string;
  readonly type: 'REG' | 'DIR' | 'SYMLNK';
  readonly size: number;
  /** Octal text. */
  readonly mode: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly sha256?: string;
  readonly target?: string;
}

/**
 * The admin API, on a Unix socket that only the emulator's user may open:
 * `GET /credentials`, `GET|POST /spaces`, `GET /spaces/:id/tree`,
 * `POST /spaces/:id/import` (tar), `POST /spaces/:id/imported` {"key"},
 * `POST /spaces/:id/conflicts` {"path","provider","text"}, `PUT /spaces/:id/quota` {"quotaBytes"}, `DELETE /spaces/:id/content`,
 * `POST /tokens`, `DELETE /tokens/:id`, `PUT /settings`, `PUT /faults` {"seed","rules"} in place of those before,
 * `GET /struck`: the last faults that struck.
 */
export function makeAdminListener(emulator: Emulator): RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://admin');
    const [first = '', id, action] = url.pathname.split('/').slice(1).map(decode);
    const route = `${request.method} /${first}${id === undefined ? '' : '/:id'}${action === undefined ? '' : `/${action}`}`;
    const body = async <Schema extends z.ZodType>(schema: Schema): Promise<z.output<Schema>> =>
      schema.parse(JSON.parse((await readBody(request, 16 * 1_048_576)).toString('utf8') || '{}'));
    answer({ emulator, route, id: id ?? '', body, request, response }).catch((error) => {
      if (response.headersSent) return response.destroy();
      const status = error instanceof NotServed ? 404 : 400;
      return sendValue(response, { error: (error as Error).message }, status);
    });
  };
}

interface AdminCall {
  readonly emulator: Emulator;
  readonly route: string;
  readonly id: string;
  readonly body: <Schema extends z.ZodType>(schema: Schema) => Promise<z.output<Schema>>;
  readonly request: Parameters<RequestListener>[0];
  readonly response: ServerResponse;
}

function sendValue(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

async function answer(call: AdminCall): Promise<void> {
  const { emulator, response, body, id } = call;
  const { faults, spaces } = emulator.context;
  switch (call.route) {
    case 'GET /credentials':
      return sendValue(response, credentials(emulator));
    case 'GET /spaces':
      return sendValue(response, describeSpaces(spaces));
    case 'POST /spaces':
      await emulator.addSpace(await body(spaceSchema));
      return sendValue(response, describeSpaces(spaces));
    case 'POST /tokens':
      return sendValue(response, emulator.mint(await body(mintSchema)));
    case 'DELETE /tokens/:id':
      emulator.revoke(id);
      return sendValue(response, {});
    case 'PUT /settings':
      faults.apply(await body(settingsSchema));
      return sendValue(response, faults.settings);
    case 'PUT /faults': {
      // A whole script at once, from a known start.
      const { seed, rules } = await body(scriptSchema);
      faults.clear();
      faults.apply({ seed });
      return sendValue(response, { ids: rules.map((rule) => faults.add(rule)) });
    }
    case 'GET /struck':
      return sendValue(response, faults.log);
    default:
      return answerForSpace(call, spaces);
  }
}

async function answerForSpace(call: AdminCall, spaces: Spaces): Promise<void> {
  const { route, id, request, response, body } = call;
  if (!spaces.space(id)) throw new NotServed(`${route}: unknown path or space ${JSON.stringify(id)}`);
  const root = spaces.root(id);
  switch (route) {
    case 'GET /spaces/:id/tree':
      return sendTree(response, spaces, root);
    case 'POST /spaces/:id/import':
      return sendValue(response, await readArchive(spaces, root, request));
    case 'POST /spaces/:id/imported':
      spaces.tree.run(
        'INSERT OR IGNORE INTO imports VALUES (?,?)',
        id,
        (await body(z.object({ key: z.string() }))).key,
      );
      return sendValue(response, describeSpaces(spaces));
    case 'POST /spaces/:id/conflicts':
      return sendValue(response, makeConflict(spaces, root, await body(conflictSchema)));
    case 'PUT /spaces/:id/quota':
      spaces.setQuota(id, (await body(z.object({ quotaBytes: z.int().nullable() }))).quotaBytes);
      return sendValue(response, describeSpaces(spaces));
    case 'DELETE /spaces/:id/content':
      for (const child of spaces.tree.children(root.uuid, '', Number.MAX_SAFE_INTEGER))
        await spaces.remove(child);
      await spaces.startPurge();
      return sendValue(response, {});
    default:
      throw new NotServed(`${route}: no such path`);
  }
}

function makeConflict(
  spaces: Spaces,
  root: Entry,
  { path, provider, text }: z.output<typeof conflictSchema>,
): unknown {
  const names = path.split('/');
  const name = names.pop() as string;
  const parent = names.reduce<Entry | undefined>((at, each) => at && spaces.tree.child(at.uuid, each), root);
  if (!parent) throw new NotServed(`${path}: no such directory`);
  return { name: spaces.makeConflict(parent, name, provider, text).name };
}

/** All that a client needs, tokens among it. */
function credentials(emulator: Emulator): unknown {
  const tokens = Object.entries(emulator.tokenFiles).map(([name, file]) => [
    name,
    readFileSync(file, 'utf8'),
  ]);
  return {
    providerHost: emulator.providerHost,
    zoneHost: emulator.zoneHost,
    caPem: emulator.authorityPem,
    spaces: describeSpaces(emulator.context.spaces),
    tokens: Object.fromEntries(tokens),
  };
}

const describeSpaces = (spaces: Spaces) =>
  spaces.list().map((space) => ({
    ...space,
    usedBytes: spaces.usedBytes(space.id),
    imported: spaces.tree
      .all<{ key: string }>('SELECT key FROM imports WHERE space = ? ORDER BY key', space.id)
      .map(({ key }) => key),
  }));

/** `{"entries":[…]}`, depth first in bytewise order, one entry a line, streamed. */
async function sendTree(response: ServerResponse, spaces: Spaces, root: Entry): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"entries":[');
  let separator = '\n';
  for await (const entry of treeOf(spaces, root, '')) {
    if (!response.write(separator + JSON.stringify(entry))) await once(response, 'drain');
    separator = ',\n';
  }
  response.end('\n]}\n');
}

/** Everything below a directory. */
async function* treeOf(spaces: Spaces, directory: Entry, base: string): AsyncGenerator<TreeEntry> {
  for (let after = '', isMore = true; isMore; ) {
    const batch = spaces.tree.children(directory.uuid, after, 500);
    for (const entry of batch) {
      const path = base === '' ? entry.name : `${base}/${entry.name}`;
      yield {
        path,
        type: entry.type,
        size: entry.size,
        mode: entry.mode.toString(8).padStart(3, '0'),
        mtime: entry.mtime,
        ...(entry.target === null ? {} : { target: entry.target }),
        ...(entry.type === 'REG' ? { sha256: await sumOf(spaces, entry.inode) } : {}),
      };
      if (entry.type === 'DIR') yield* treeOf(spaces, entry, path);
    }
    after = batch.at(-1)?.name ?? '';
    isMore = batch.length === 500;
  }
}

async function sumOf(spaces: Spaces, inode: number): Promise<string> {
  const hash = createHash('sha256');
  const size = await spaces.contents.size(inode);
  if (size > 0)
    for await (const chunk of spaces.contents.read(inode, 0, size - 1)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
