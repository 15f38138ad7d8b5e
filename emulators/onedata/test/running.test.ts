import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EmulatorOptions, instanceDefaults } from '../configuration.ts';
import { EMULATOR, emulatorManifests, podConfiguration } from '../manifests.ts';
import { RemoteEmulator } from '../remote.ts';
import { errorOf, Given, localAgent } from './given.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'onedata-running-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('over a restart', () => {
  test('ids, contents, tokens, metadata and the certificate authority stay', async () => {
    const data = join(directory, 'data');
    const options = { spaces: [{ id: 'sp1', name: 'lab' }], tokens: [{ name: 'reader', readonly: true }] };
    const first = await Given.start(options, data);
    const id = await first.put('kept/file', 'kept');
    await first.op('PUT', `data/${id}/metadata/json`, { body: { a: 1 } });
    const { token, emulator } = first;
    const revoked = emulator.mint();
    emulator.revoke(revoked.id);
    const readerToken = await readFile(emulator.tokenFiles.reader ?? '', 'utf8');
    await first.stop();

    const second = await Given.start(options, data);
    try {
      expect(second.emulator.authorityPem).toBe(emulator.authorityPem);
      expect((await second.op('GET', `data/${id}/content`, { token })).text).toBe('kept');
      expect((await second.op('GET', `data/${id}/metadata/json`, { token })).json).toEqual({ a: 1 });
      expect((await second.op('GET', 'spaces', { token: revoked.token })).status).toBe(401);
      expect(await readFile(second.emulator.tokenFiles.reader ?? '', 'utf8')).toBe(readerToken);
      expect((await stat(second.emulator.tokenFiles.reader ?? '')).mode & 0o777).toBe(0o600);
      expect((await stat(second.emulator.adminSocket)).mode & 0o777).toBe(0o600);
    } finally {
      await second.stop();
    }
  });

  test('a space is seeded once', async () => {
    const seed = join(directory, 'seed');
    await mkdir(join(seed, 'empty'), { recursive: true });
    await writeFile(join(seed, 'file'), 'seeded', { mode: 0o640 });
    const spaces = [{ id: 'source', name: 'Source', seedFrom: seed }];
    const first = await Given.start({ spaces }, join(directory, 'data'));
    const { fileId } = (await first.op('POST', 'lookup-file-id/Source/file')).json;
    expect((await first.op('GET', `data/${fileId}?attributes=posixPermissions`)).json.posixPermissions).toBe(
      '640',
    );
    await first.op('DELETE', `data/${fileId}`);
    await first.stop();
    const second = await Given.start({ spaces }, join(directory, 'data'));
    expect((await second.op('GET', 'data/source/children')).json.children).toMatchObject([{ name: 'empty' }]);
    await second.stop();
  });
});

test.each([
  [
    'a value',
    { spaces: [{ id: 'sp 1', name: 'lab' }] },
    /^The emulator cannot start with its options\. spaces\.0\.id: letters, digits, - and _ only, at most 64$/,
  ],
  ['a key', { zone: 'x' }, /^The emulator cannot start with its options\. Unrecognized key: "zone"$/],
])('%s that is not known is refused in one sentence', async (_what, options, sentence) => {
  await expect(Given.start(options as Partial<EmulatorOptions>, join(directory, 'data'))).rejects.toThrow(
    sentence,
  );
});

test('a second emulator on the same data is refused with a sentence', async () => {
  const data = join(directory, 'data');
  const first = await Given.start({}, data);
  try {
    await expect(Given.start({}, data)).rejects.toThrow(/onedata\.sqlite is in use: end the emulator/);
    expect((await first.op('GET', 'spaces')).status).toBe(200);
  } finally {
    await first.stop();
  }
});

test('what was answered is there after the process was killed', async () => {
  const data = join(directory, 'data');
  const program = fileURLToPath(new URL('../server.ts', import.meta.url));
  const argv = ['--disable-warning=ExperimentalWarning', program, 'serve', '--data', data, '--port', '0'];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const { provider, authorityFile, tokenFiles } = JSON.parse(String((await once(child.stdout, 'data'))[0]));
  const agent = localAgent(await readFile(authorityFile, 'utf8'));
  const names = Array.from({ length: 20 }, (_, index) => `file-${index}`);
  for (const name of names) {
    const answer = await agent.request({
      origin: `https://${provider}`,
      path: `/api/v3/oneprovider/data/project/path/${name}`,
      method: 'PUT',
      headers: { 'x-auth-token': await readFile(tokenFiles.project, 'utf8') },
      body: `content of ${name}`,
    });
    expect(answer.statusCode).toBe(201);
    await answer.body.dump();
  }
  child.kill('SIGKILL');
  await Promise.all([ended, agent.destroy()]);
  const second = await Given.start(instanceDefaults(), data);
  try {
    for (const name of names)
      expect((await second.op('GET', `data/project/path/${name}`)).text).toBe(`content of ${name}`);
  } finally {
    await second.stop();
  }
});

describe('faults', () => {
  let given: Given;
  beforeEach(async () => {
    given = await Given.start();
  });
  afterEach(() => given.dispose());
  const { add } = {
    add: (rule: Parameters<Given['emulator']['context']['faults']['add']>[0]) =>
      given.emulator.context.faults.add(rule),
  };

  test('an error for the next requests that match, then as before', async () => {
    add({ path: '/spaces', times: 2, action: { kind: 'error', status: 503, id: 'serviceUnavailable' } });
    add({
      path: '/data/',
      skip: 1,
      times: 1,
      action: { kind: 'error', status: 400, id: 'posix', details: { errno: 'eagain' } },
    });
    const answers = [];
    for (const path of ['spaces', 'data/sp1', 'spaces', 'data/sp1', 'spaces', 'data/sp1']) {
      answers.push((await given.op('GET', path)).status);
    }
    expect(answers).toEqual([503, 200, 503, 400, 200, 200]);
  });

  test('the same seed draws the same requests', async () => {
    const run = async () => {
      const { faults } = given.emulator.context;
      faults.clear();
      faults.apply({ seed: 7 });
      add({ probability: 0.5, action: { kind: 'error', status: 503, id: 'timeout' } });
      const statuses = [];
      for (let count = 0; count < 20; count++) statuses.push((await given.op('GET', 'health')).status);
      return statuses;
    };
    const first = await run();
    expect(await run()).toEqual(first);
    expect(new Set(first)).toEqual(new Set([200, 503]));
  });

  test('listings lose entries, times are 0', async () => {
    for (const name of ['keep', 'lose']) await given.put(name);
    add({ path: 'children', times: 1, action: { kind: 'drop-entries', names: '^lose$' } });
    add({ path: 'children', action: { kind: 'zero-times' } });
    const list = async () =>
      (await given.op('GET', 'data/sp1/children?attributes=name&attributes=mtime')).json.children;
    expect(await list()).toEqual([{ name: 'keep', mtime: 0 }]);
    expect(await list()).toHaveLength(2);
  });

  test('an answer is lost after the work was done', async () => {
    add({ method: 'PUT', times: 1, action: { kind: 'lose-answer' } });
    await expect(given.op('PUT', 'data/sp1/path/done')).rejects.toThrow();
    expect((await given.op('GET', 'data/sp1/path/done')).status).toBe(200);
    expect(errorOf(await given.op('PUT', 'data/sp1/path/done'))).toBe('400 eexist');
  });

  test('bodies come short', async () => {
    const id = await given.put('short', 'x'.repeat(1000));
    add({ path: '/content', times: 1, action: { kind: 'truncate-body', afterBytes: 100 } });
    await expect(given.op('GET', `data/${id}/content`)).rejects.toThrow();
    expect((await given.op('GET', `data/${id}/content`)).text).toHaveLength(1000);
    add({ path: '/children', times: 1, action: { kind: 'truncate-body', afterBytes: 10 } });
    await expect(given.op('GET', 'data/sp1/children')).rejects.toThrow();
  });

  test('an upload is cut after some bytes, which stay', async () => {
    const id = await given.put('cut', '');
    add({ path: '/content', times: 1, action: { kind: 'cut-upload', afterBytes: 3 } });
    const headers = { 'content-type': 'application/octet-stream' };
    await expect(given.op('PUT', `data/${id}/content`, { body: 'abcdef', headers })).rejects.toThrow();
    expect((await given.op('GET', `data/${id}/content`)).text).toBe('abc');
  });

  test('an answer comes late, or is a page of somebody else, and the work is done or not', async () => {
    const { faults } = given.emulator.context;
    const late = add({ method: 'PUT', times: 1, action: { kind: 'late-answer', milliseconds: 100 } });
    const before = performance.now();
    expect((await given.op('PUT', 'data/sp1/path/late')).status).toBe(201);
    expect(performance.now() - before).toBeGreaterThan(95);
    expect([faults.hits(late), faults.list()]).toEqual([1, []]);
    add({ method: 'DELETE', times: 1, action: { kind: 'wrong-answer' } });
    const page = await given.op('DELETE', 'data/sp1/path/late');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect((await given.op('GET', 'data/sp1/path/late')).status).toBe(200);
  });

  test('the very bytes of a rule are the answer, to the upload of one size alone', async () => {
    const bytes = 'HTTP/1.1 307 Temporary Redirect\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n';
    add({ bodyBytes: 3, action: { kind: 'raw-answer', bytes } });
    expect((await given.op('PUT', 'data/sp1/path/four', { body: 'four' })).status).toBe(201);
    const redirected = await given.op('PUT', 'data/sp1/path/three', { body: '333' });
    expect([redirected.status, redirected.headers.location]).toEqual([307, '/x']);
    expect((await given.op('GET', 'data/sp1/path/three')).status).toBe(400);
  });

  test('overload says when to come back', async () => {
    add({ times: 1, action: { kind: 'error', status: 503, id: 'serviceUnavailable', retryAfterSeconds: 3 } });
    add({ skip: 1, times: 1, action: { kind: 'status', status: 429, retryAfterSeconds: 0 } });
    const answers = [await given.op('GET', 'spaces'), await given.op('GET', 'spaces')];
    expect(answers.map(({ status, headers }) => [status, headers['retry-after']])).toEqual([
      [503, '3'],
      [429, '0'],
    ]);
  });
});

describe('as a program', () => {
  const program = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, '..', 'server.ts'),
  ];

  test('the admin command seeds, dumps and tunes a running emulator', async () => {
    const given = await Given.start(instanceDefaults());
    const exec = async (argv: readonly string[], stdin?: Readable) => {
      const [command = '', ...args] = argv;
      const running = promisify(execFile)(command, [...args, '--socket', given.emulator.adminSocket]);
      if (stdin && running.child.stdin) stdin.pipe(running.child.stdin);
      return (await running).stdout;
    };
    try {
      const remote = new RemoteEmulator(exec, program);
      await mkdir(join(directory, 'sub'), { recursive: true });
      await writeFile(join(directory, 'sub', 'a b'), 'hello', { mode: 0o644 });
      await symlink('sub/a b', join(directory, 'link'));
      expect(await remote.importDirectory('source', directory, 'sample-1')).toEqual({
        copied: true,
        bytes: 5,
      });
      expect(await remote.importDirectory('source', directory, 'sample-1')).toEqual({
        copied: false,
        bytes: 5,
      });
      expect(await remote.tree('source')).toMatchObject([
        { path: 'link', type: 'SYMLNK', target: 'sub/a b' },
        { path: 'sub', type: 'DIR' },
        {
          path: 'sub/a b',
          type: 'REG',
          size: 5,
          mode: '644',
          sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        },
      ]);
      const credentials = await remote.credentials();
      expect(credentials).toMatchObject({
        providerHost: given.emulator.providerHost,
        sourceSpaceId: 'source',
      });
      const refused = await given.op('PUT', 'data/source/path/x', { token: credentials.sourceToken });
      expect(errorOf(refused)).toBe('400 eacces');
      expect((await given.op('PUT', 'data/project/path/x', { token: credentials.projectToken })).status).toBe(
        201,
      );
      await remote.set({ bytesPerSecond: 1000, latencyMilliseconds: 1 });
      expect(given.emulator.context.faults.settings).toMatchObject({
        bytesPerSecond: 1000,
        latencyMilliseconds: 1,
      });
      await remote.clear('source');
      expect(await remote.tree('source')).toEqual([]);
      await expect(remote.tree('absent')).rejects.toThrow();
    } finally {
      await given.dispose();
    }
  });
});

test('an import that was cut off on the way is an error, and not taken for done', async () => {
  const calls: string[] = [];
  await writeFile(join(directory, 'file'), 'x');
  const exec = async ([, method, path]: readonly string[], stdin?: Readable) => {
    for await (const _ of stdin ?? []);
    calls.push(`${method} ${path}`);
    return method === 'GET' ? '[]' : '{"files":0,"directories":0,"links":0,"bytes":0}';
  };
  // The program is left out, so that the arguments begin with `admin`.
  const remote = new RemoteEmulator(exec, []);
  await expect(remote.importDirectory('source', directory, 'key')).rejects.toThrow('not everything arrived');
  expect(calls).toEqual(['GET /spaces', 'POST /spaces/source/import']);
});

describe('manifests', () => {
  const objects = emulatorManifests({ image: 'localhost/scipion/onedata:1', volumeSize: '5Gi' });

  test('two services lead to one pod under the names of its certificate', () => {
    const services = objects
      .filter(({ kind }) => kind === 'Service')
      .map(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.cluster.local`);
    expect(services).toEqual([EMULATOR.zoneHost, EMULATOR.providerHost]);
    expect(podConfiguration()).toMatchObject({
      publicPort: 443,
      zoneHost: EMULATOR.zoneHost,
      providerHost: EMULATOR.providerHost,
    });
  });

  test('the pod keeps to Pod Security restricted and holds no token', () => {
    const deployment = objects.find(({ kind }) => kind === 'Deployment') as unknown as {
      spec: {
        template: {
          spec: {
            securityContext: object;
            containers: [{ securityContext: object; env: { name: string }[] }];
          };
        };
      };
    };
    const { securityContext, containers } = deployment.spec.template.spec;
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(containers[0].env.map(({ name }) => name)).toEqual(['ONEDATA_ADMIN']);
  });
});
