import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { SettingsError } from './settings-error.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** Endings of the compressed copies that the build makes, the smallest first. */
const ENCODINGS = { br: '.br', gzip: '.gz' } as const;

interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly compressed: readonly { readonly encoding: string; readonly content: Buffer }[];
}

/**
 * Serves the files that a browser may load without a session, each from memory: a request of a stranger costs neither
 * a file nor a compression.
 * @throws SettingsError when the folder cannot be read or holds a file of an unknown kind.
 */
export function addAssets(app: FastifyInstance, directory: string): void {
  const assets = loadAssets(directory);
  app.get<{ Params: { name: string } }>('/assets/:name', async (request, reply) => {
    const asset = assets.get(request.params.name);
    if (asset === undefined) return reply.callNotFound();
    reply.header('cache-control', 'no-cache').header('etag', asset.etag).header('vary', 'accept-encoding');
    if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
    const accepted = acceptedEncodings(request.headers['accept-encoding']);
    const compressed = asset.compressed.find(({ encoding }) => accepted.has(encoding));
    if (compressed) reply.header('content-encoding', compressed.encoding);
    return reply.type(asset.type).send(compressed?.content ?? asset.plain);
  });
}

/** The codings of an `Accept-Encoding` that are not refused by a weight of 0. */
function acceptedEncodings(header: string | string[] | undefined): Set<string> {
  const accepted = new Set<string>();
  for (const part of String(header ?? '').split(',')) {
    const [coding = '', ...parameters] = part.toLowerCase().split(';');
    if (!parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter))) accepted.add(coding.trim());
  }
  return accepted;
}

function loadAssets(directory: string): ReadonlyMap<string, Asset> {
  try {
    const names = readdirSync(directory);
    const read = (name: string) => readFileSync(join(directory, name));
    const assets = new Map<string, Asset>();
    for (const name of names) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const plain = read(name);
      const compressed = Object.entries(ENCODINGS)
        .filter(([, ending]) => names.includes(name + ending))
        .map(([encoding, ending]) => ({ encoding, content: read(name + ending) }));
      const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
      assets.set(name, { type, etag, plain, compressed });
    }
    return assets;
  } catch (cause) {
    throw new SettingsError(
      `The web pages are not in ${directory}: ${(cause as Error).message}. Build them, or name the folder with --web.`,
      { cause },
    );
  }
}
