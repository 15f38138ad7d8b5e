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
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ensureEngine } from '../../automation/engine/index.ts';
import { VERSIONS } from '../../automation/engine/versions.ts';
import { cacheDirectory } from '../../automation/tools/cache.ts';

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
function pathWith(version?: string, text = `echo ${version}`): string {
  const folder = join(place, 'path');
  mkdirSync(folder, { recursive: true });
  for (const tool of ['sh', 'tar', 'gzip']) symlinkSync(`/bin/${tool}`, join(folder, tool));
  // It says nothing where it would write into the user's own folder.
  const isOurs = `[ "$PULUMI_HOME" = "${join(place, 'cache', 'home')}" ] || exit 1`;
  if (version !== undefined) script(folder, 'pulumi', `${isOurs}\n${text}`);
  return folder;
}

const OFFLINE = { releases: 'http://127.0.0.1:1/sdk', checksums: 'http://127.0.0.1:1/checksums' };

/** The vendor's two servers in one, with an archive whose `pulumi` tells a version. */
async function vendorWith(changes: { checksum?: string; bytes?: Uint8Array } = {}) {
  const source = join(place, 'archive');
  script(join(source, 'pulumi'), 'pulumi', `echo v${VERSIONS.engine}`);
  script(join(source, 'pulumi'), 'pulumi-language-nodejs', 'exit 1');
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

test('two who look at once make it once', async () => {
  const given = options(pathWith('v3.100.0'), await vendorWith());
  const asked: (string | undefined)[] = [];
  server?.on('request', ({ url }) => asked.push(url));
  const engines = await Promise.all([ensureEngine(() => {}, given), ensureEngine(() => {}, given)]);
  expect(engines.map(({ source }) => source)).toEqual(['downloaded', 'downloaded']);
  expect(asked.filter((url) => url?.endsWith('.tar.gz'))).toHaveLength(1);
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

/** Looks for the engine in a process of its own behind mounts of its own. */
function inNamespace(mounts: string, folder: string, given: object) {
  const program = `
    import { readdirSync } from 'node:fs';
    import { ensureEngine } from '${new URL('../../automation/engine/index.ts', import.meta.url)}';
    const options = JSON.parse(process.argv[1]);
    await ensureEngine(() => {}, options).then(() => console.log('made'), ({ message }) => console.log(message));
    try { console.log(JSON.stringify(readdirSync(options.cache, { recursive: true }))); } catch {}`;
  const node = [process.execPath, '--input-type=module', '--eval', program, JSON.stringify(given)];
  return execa('unshare', ['--mount', 'sh', '-c', mounts, 'sh', folder, ...node]);
}

test.each([
  ['the archive', randomBytes(2 ** 21)],
  ['what is in the archive', Buffer.alloc(2 ** 21)],
])('a cache without room for %s is told, and nothing half-made is left', async (_what, bytes) => {
  const given = options(pathWith('v3.100.0'), await vendorWith({ bytes }));
  mkdirSync(given.cache);
  // A disk of one mebibyte, seen by this process alone.
  const onSmallDisk = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && exec "$@"';
  const { stdout } = await inNamespace(onSmallDisk, given.cache, given);
  const [message, left] = stdout.split('\n');
  expect(message).toMatch(/^The disk of \S+ is full; the engine needs 2 GB there\. Make room \(df -h \S+\)/);
  expect(JSON.parse(left ?? '')).toEqual(expect.not.arrayContaining([expect.stringContaining('bin')]));
});

/** Both plugins in the cache. */
function plugins(): [string, string] {
  const [kubernetes, random] = (['kubernetes', 'random'] as const).map((name) => {
    const folder = join(place, 'cache', 'home', 'plugins', `resource-${name}-v${VERSIONS.plugins[name]}`);
    script(folder, `pulumi-resource-${name}`, 'exit 1');
    return folder;
  });
  return [String(kubernetes), String(random)];
}

const download = () => join(place, 'cache', 'download', 'bin');

test.each<[string, () => void]>([
  ['is cut', () => writeFileSync(join(download(), 'pulumi'), readFileSync('/bin/sh').subarray(0, 9_000))],
  ['is empty', () => writeFileSync(join(download(), 'pulumi'), '')],
  ['may not be started', () => chmodSync(join(download(), 'pulumi'), 0o644)],
  ['tells nothing', () => script(download(), 'pulumi', 'exit 0')],
  ['is gone', () => rmSync(join(download(), 'pulumi'))],
  ['lacks the host of programs', () => rmSync(join(download(), 'pulumi-language-nodejs'))],
  ['is a file', () => [rmSync(download(), { recursive: true }), writeFileSync(download(), '')]],
  ['leads nowhere', () => [rmSync(download(), { recursive: true }), symlinkSync('/nowhere', download())]],
])('a Pulumi in the cache that %s is made again, once', async (_what, damage) => {
  const given = options(pathWith('v3.100.0'), await vendorWith());
  plugins();
  await ensureEngine(() => {}, given);
  damage();
  const said: string[] = [];
  const engine = await ensureEngine((line) => said.push(line), given);
  expect(execFileSync(engine.command, { encoding: 'utf8' })).toBe(`v${VERSIONS.engine}\n`);
  expect(said).toContain(`downloading Pulumi ${VERSIONS.engine}`);
  expect(readdirSync(join(place, 'cache', 'download'))).toEqual(['bin']);
  await ensureEngine((line) => said.push(line), { ...given, vendor: OFFLINE });
  expect(said.filter((line) => line.startsWith('downloading'))).toHaveLength(1);
});

test('a plugin that is damaged is taken away where Pulumi can fetch it', async () => {
  const given = options(pathWith('v3.260.0'), await vendorWith());
  const [kubernetes, random] = plugins();
  writeFileSync(join(random, 'pulumi-resource-random'), '');
  await ensureEngine(() => {}, given);
  expect([existsSync(kubernetes), existsSync(random)]).toEqual([true, false]);
});

test('drafts of runs that were killed do not stay', async () => {
  const draft = `${download()}-draft-killed`;
  mkdirSync(draft, { recursive: true });
  utimesSync(draft, 1, 1);
  await ensureEngine(() => {}, options(pathWith('v3.100.0'), await vendorWith()));
  expect(readdirSync(join(place, 'cache', 'download'))).toEqual(['bin']);
});

test.each([
  ['waits for something to read', 'cat; echo v3.260.0', undefined],
  ['is asked on a day with news', 'echo warning: news; echo v3.260.0; echo more', undefined],
  ['never answers', 'sleep 1000; echo v3.260.0', 'does not answer within 1 s'],
  ['says something else', 'echo hello', 'does not tell its version'],
  ['fails', 'echo libfoo.so: not there >&2; exit 127', 'fails (code 127: libfoo.so: not there)'],
  ['is too old', 'echo v3.100.0', 'is 3.100.0'],
])('one on PATH that %s', async (_what, text, why) => {
  const path = pathWith('', text);
  for (const tool of ['cat', 'sleep']) symlinkSync(`/bin/${tool}`, join(path, tool));
  const said: string[] = [];
  const given = { ...options(path, await vendorWith()), answerMs: why?.includes('1 s') ? 1000 : 20_000 };
  const engine = await ensureEngine((line) => said.push(line), given);
  if (why === undefined) return expect(engine).toMatchObject({ version: '3.260.0', source: 'on PATH' });
  expect(engine.source).toBe('downloaded');
  expect(said[0]).toBe(
    `\`pulumi\` on PATH ${why}, expected ${VERSIONS.oldestEngine} or newer of the same major version; another is used`,
  );
});

test('without anything the sentence is about Pulumi, and of a plugin alone about that', async () => {
  await expect(ensureEngine(() => {}, options(pathWith(), OFFLINE))).rejects.toThrow(
    /^There is no Pulumi here and none can be made: `pulumi` is not on PATH; .*; `go` is not on PATH\./,
  );
  script(join(place, 'path'), 'pulumi', 'echo v3.260.0');
  await expect(ensureEngine(() => {}, options(join(place, 'path'), OFFLINE))).rejects.toThrow(
    /^The kubernetes provider is not in \S+ and cannot be made: .*; `go` is not on PATH\./,
  );
});

test('a cache that cannot be is told with its folder', async () => {
  writeFileSync(join(place, 'cache'), '');
  await expect(ensureEngine(() => {}, options(pathWith('v3.260.0'), OFFLINE))).rejects.toThrow(
    /^The cache cannot have a folder \S+\/cache\/home \(E[A-Z]+\): .* export XDG_CACHE_HOME=FOLDER$/,
  );
});

test('a path of the cache that is not absolute is not taken', () => {
  vi.stubEnv('XDG_CACHE_HOME', 'rel/cache');
  expect(cacheDirectory('engine', 'key')).toMatch(/^\/.*\/\.cache\/scipion-instances\/engine\/key$/);
});

test.each([
  [
    'noexec',
    'remount,noexec',
    /^\S+\/pulumi\S* cannot be started, .* mounted noexec\. .*XDG_CACHE_HOME=FOLDER$/,
  ],
  ['read-only, with everything', 'remount,ro', /^made$/],
  ['read-only and empty', 'remount,ro', /^The cache cannot have a folder \S+ \(E[A-Z]+\)/],
])('a cache that is mounted %s', async (what, mount, expected) => {
  const given = options(pathWith('v3.100.0'), await vendorWith());
  plugins();
  await ensureEngine(() => {}, given);
  const more = what.includes('empty') ? { cache: join(given.cache, 'other', 'one') } : {};
  const mounts = `mount --bind "$1" "$1" && mount -o bind,${mount} "$1" && shift && exec "$@"`;
  const { stdout } = await inNamespace(mounts, given.cache, { ...given, vendor: OFFLINE, ...more });
  expect(stdout.split('\n')[0]).toMatch(expected);
});

describe('the command of this repository', () => {
  test('says it where Pulumi ends without a word', async () => {
    const path = pathWith();
    script(path, 'pulumi', '[ "$1" = version ] && exec echo v3.260.0; kill -SEGV $$');
    const command = fileURLToPath(new URL('../../local/cli/pulumi.ts', import.meta.url));
    const { stderr, exitCode } = await execa(process.execPath, [command, 'stack', 'ls'], {
      env: { PATH: `${path}:${process.env.PATH}`, SCIPION_LOCAL_STATE: join(place, 'local') },
      reject: false,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/ failed: pulumi was ended by SIGSEGV$/);
  });
});
