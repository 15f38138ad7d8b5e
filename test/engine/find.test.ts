import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ensureEngine } from '../../automation/engine/index.ts';
import { VERSIONS } from '../../automation/engine/versions.ts';

/** Where the engine comes from, on machines with a `pulumi` on PATH, with internet, with neither. */

let place: string;
let server: Server | undefined;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'engine-find-'));
});
afterEach(() => {
  server?.close();
  server = undefined;
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true, force: true });
});

function script(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** A PATH with nothing on it but a shell and a `pulumi` of this version. */
function pathWith(version?: string): string {
  const folder = join(place, 'path');
  mkdirSync(folder, { recursive: true });
  for (const tool of ['sh', 'tar', 'gzip']) symlinkSync(`/bin/${tool}`, join(folder, tool));
  // It says nothing where it would write into the user's own folder.
  const isOurs = `[ "$PULUMI_HOME" = "${join(place, 'cache', 'home')}" ] || exit 1`;
  if (version !== undefined) script(folder, 'pulumi', `${isOurs}\necho ${version}`);
  return folder;
}

const OFFLINE = { releases: 'http://127.0.0.1:1/sdk', checksums: 'http://127.0.0.1:1/checksums' };

/** The vendor's two servers in one, with an archive whose `pulumi` tells a version. */
async function vendorWith(changes: { checksum?: string; bytes?: Uint8Array } = {}) {
  const source = join(place, 'archive');
  script(join(source, 'pulumi'), 'pulumi', `echo v${VERSIONS.engine}`);
  if (changes.bytes) writeFileSync(join(source, 'pulumi', 'more'), changes.bytes);
  const name = `pulumi-v${VERSIONS.engine}-linux-${process.arch === 'arm64' ? 'arm64' : 'x64'}.tar.gz`;
  execFileSync('tar', ['-czf', join(place, name), '-C', source, 'pulumi']);
  const archive = readFileSync(join(place, name));
  const checksum = changes.checksum ?? createHash('sha256').update(archive).digest('hex');
  server = createServer((request, response) => {
    if (request.url?.endsWith(name)) response.end(archive);
    else if (request.url?.endsWith('checksums.txt')) response.end(`${checksum}  ${name}\n`);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${((server as Server).address() as AddressInfo).port}`;
  return { releases: `${base}/sdk`, checksums: `${base}/checksums` };
}

const options = (path: string, vendor: { releases: string; checksums: string }) => ({
  path,
  vendor,
  cache: join(place, 'cache'),
});

test('a supported one on PATH is taken, and its version told', async () => {
  const said: string[] = [];
  const vendor = await vendorWith();
  const engine = await ensureEngine((line) => said.push(line), options(pathWith('v3.260.0'), vendor));
  expect(engine).toMatchObject({ command: 'pulumi', version: '3.260.0', source: 'on PATH' });
  expect(said).toEqual(['Pulumi 3.260.0, on PATH']);
  expect(readdirSync(join(place, 'cache'))).toEqual(['home']);
});

test('the download is taken where its checksum is right, and found again without a server', async () => {
  const path = pathWith('v3.100.0');
  const engine = await ensureEngine(() => {}, options(path, await vendorWith()));
  expect(engine).toMatchObject({ source: 'downloaded', version: VERSIONS.engine });
  expect(execFileSync(engine.command, { encoding: 'utf8' })).toBe(`v${VERSIONS.engine}\n`);
});

test('the download goes through the proxy of the environment', async () => {
  const asked: (string | undefined)[] = [];
  server = createServer(({ url }, response) => {
    asked.push(url);
    response.writeHead(502).end();
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const vendor = { releases: 'http://get.example.org/sdk', checksums: 'http://sums.example.org' };
  await expect(ensureEngine(() => {}, options(pathWith('v3.100.0'), vendor))).rejects.toThrow(/502/);
  expect(asked).toContain('http://get.example.org/sdk');
});

test('an archive with another checksum is refused, and nothing of it is kept', async () => {
  const vendor = await vendorWith({ checksum: 'f'.repeat(64) });
  const refusal = ensureEngine(() => {}, options(pathWith('v3.100.0'), vendor));
  await expect(refusal).rejects.toThrow(/is not what was released: found SHA-256 .*, expected ffff/);
  expect(existsSync(join(place, 'cache', 'download', 'bin'))).toBe(false);
});

test('without internet and Go one sentence says what was tried and what to install', async () => {
  const refusal = ensureEngine(() => {}, options(pathWith('v3.100.0'), OFFLINE));
  await expect(refusal).rejects.toThrow(
    /^There is no Pulumi here and none can be made: .*Install the Pulumi CLI .* or Go 1\.26/,
  );
  await expect(refusal).rejects.not.toThrow(/\n/);
});

test('one on PATH that is too old is named with both versions', async () => {
  const vendor = await vendorWith({ checksum: 'none' });
  const refusal = ensureEngine(() => {}, options(pathWith('v3.100.0'), vendor));
  await expect(refusal).rejects.toThrow(`on PATH is 3.100.0, expected ${VERSIONS.oldestEngine} or newer`);
});

test.each([
  ['the archive', randomBytes(2 ** 21)],
  ['what is in the archive', Buffer.alloc(2 ** 21)],
])('a cache without room for %s is told, and nothing half-made is left', async (_what, bytes) => {
  const given = options(pathWith('v3.100.0'), await vendorWith({ bytes }));
  mkdirSync(given.cache);
  const program = `
    import { readdirSync } from 'node:fs';
    import { ensureEngine } from '${new URL('../../automation/engine/index.ts', import.meta.url)}';
    const options = JSON.parse(process.argv[1]);
    await ensureEngine(() => {}, options).then(() => console.log('made'), ({ message }) => console.log(message));
    console.log(JSON.stringify(readdirSync(options.cache, { recursive: true })));`;
  // A disk of one mebibyte, seen by this process alone.
  const onSmallDisk = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && exec "$@"';
  const node = [process.execPath, '--input-type=module', '--eval', program, JSON.stringify(given)];
  const { stdout } = await execa('unshare', ['--mount', 'sh', '-c', onSmallDisk, 'sh', given.cache, ...node]);
  const [message, left] = stdout.split('\n');
  expect(message).toMatch(/^The disk of \S+ is full; the engine needs 2 GB there\. Make room \(df -h \S+\)/);
  expect(JSON.parse(left ?? '')).toEqual(expect.not.arrayContaining([expect.stringContaining('bin')]));
});
