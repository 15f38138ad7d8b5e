import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { syncStatusSchema } from '../../contract/status.ts';
import { systemClock } from '../../src/clock.ts';
import { program } from '../../src/sync/main.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import { startService } from '../../src/sync/service/service.ts';
import { CONTAINER_PATHS, type SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { containerPaths, QUIET_CONFIG } from './given-container.ts';
import { dumpFolder, Folders, quiet } from './world.ts';

const DOCUMENTATION = new URL('../../../docs/sync-commands.md', import.meta.url);

describe('the documentation', () => {
  const text = readFileSync(DOCUMENTATION, 'utf8');
  const rows = text.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

  test('has every command with its options, and no other', () => {
    const defined = program(CONTAINER_PATHS, () => undefined).commands.map((command) => {
      const argumentNames = command.registeredArguments.map((argument) => ` <${argument.name()}>`).join('');
      const options = command.options.map((option) => `\`${option.flags}\``).sort();
      return [`\`sync ${command.name()}${argumentNames}\``, options.join(', ')];
    });
    const documented = rows
      .filter(([first]) => first?.startsWith('`sync '))
      .map(([command, options]) => [command, (options ?? '').split(', ').sort().join(', ')]);
    expect(documented.sort()).toEqual(defined.sort());
  });

  test('has every exit code, and no other', () => {
    const documented = rows
      .filter(([first]) => /^\d+$/.test(first ?? ''))
      .map(([code, name]) => [name, Number(code)]);
    expect(Object.fromEntries(documented)).toEqual(EXIT_CODES);
  });
});

describe('getting old work back', () => {
  const folders = new Folders();
  let paths: SyncPaths;
  let space: MemorySpace;
  let data: string;
  let stop: () => Promise<void>;
  beforeEach(async () => {
    paths = await containerPaths(folders.make());
    data = join(paths.projectVolume, 'data');
    space = new MemorySpace({ identity: 'memory://project' });
    const { runner, done } = await startService({
      config: QUIET_CONFIG,
      paths,
      spaces: { source: () => new MemorySpace({ identity: 'memory://source' }), project: () => space },
      clock: systemClock,
      log: quiet,
      probes: null,
    });
    stop = async () => {
      runner.stop();
      await done;
    };
    for (;;) {
      const status = syncStatusSchema.parse(await ask(paths.syncSocket, 'GET', '/v1/status'));
      if (status.ready && status.phase === 'running') break;
      await new Promise((next) => setTimeout(next, 10));
    }
  });
  afterEach(async () => {
    await stop();
    folders.clear();
  });

  async function sync(work: (context: commands.CommandContext) => Promise<number>) {
    const [out, err]: [string[], string[]] = [[], []];
    const context = {
      socket: paths.syncSocket,
      json: true,
      out: (line: string) => out.push(line),
      err: (line: string) => err.push(line),
    };
    const code = await commands.guarded(context, () => work(context));
    return { code, out: out.map((line) => JSON.parse(line) as unknown), err: err.join('\n') };
  }
  const save = () => sync(commands.saveNow);

  test('a removed and a replaced file come back from the trash, beside what is there', async () => {
    mkdirSync(join(data, 'p/Runs'), { recursive: true });
    writeFileSync(join(data, 'p/Runs/removed.txt'), 'precious');
    writeFileSync(join(data, 'p/changed.txt'), 'old');
    await save();
    rmSync(join(data, 'p/Runs'), { recursive: true });
    writeFileSync(join(data, 'p/changed.txt'), 'new');
    expect((await save()).code).toBe(0);
    const { out } = await sync((context) => commands.trash(context, {}));
    const [{ items }] = out as [
      { items: { path: string; why: string; bytes: number; at: string; of: string }[] },
    ];
    expect(items).toMatchObject([
      { path: 'p/Runs/removed.txt', why: 'removed', bytes: 8 },
      { path: 'p/changed.txt', why: 'replaced', bytes: 3 },
    ]);
    expect(Date.parse(String(items[0]?.at))).toBeGreaterThan(Date.now() - 60_000);
    expect(await sync((context) => commands.trash(context, { restore: 'p/Runs' }))).toMatchObject({
      code: 0,
      out: [{ restored: ['p/Runs/removed.txt'] }],
    });
    const again = await sync((context) =>
      commands.trash(context, { restore: 'p/changed.txt', of: String(items[1]?.of) }),
    );
    const [{ restored }] = again.out as [{ restored: string[] }];
    expect(restored[0]).toMatch(/^p\/changed \(restored \d{8}T\d{6}Z\)\.txt$/);
    const files = dumpFolder(data);
    expect(files.get('p/Runs/removed.txt')).toBe('precious');
    expect(files.get('p/changed.txt')).toBe('new');
    expect(files.get(String(restored[0]))).toBe('old');
    expect(await save()).toMatchObject({ code: 0, out: [{ saved: true }] });
  });

  test('the last save, or a part of it, is copied into a new folder and nothing else changes', async () => {
    mkdirSync(join(data, 'p/empty'), { recursive: true });
    writeFileSync(join(data, 'p/a'), 'saved', { mode: 0o640 });
    utimesSync(join(data, 'p/a'), 1_700_000_000, 1_700_000_000);
    writeFileSync(Buffer.from(`${data}/p/odd\xff`, 'latin1'), 'odd');
    symlinkSync('a', join(data, 'p/link'));
    await save();
    writeFileSync(join(data, 'p/a'), 'spoilt, not saved');
    const before = dumpFolder(data);
    expect(await sync((context) => commands.restore(context, { to: 'copy' }))).toMatchObject({
      code: 0,
      out: [{ to: 'copy', generation: 1, files: 3, bytes: 8, skipped: 0 }],
    });
    const after = dumpFolder(data);
    for (const [path, content] of before) expect(after.get(path), path).toBe(content);
    expect(dumpFolder(join(data, 'copy'))).toEqual(new Map([...before, ['p/a', 'saved']]));
    expect(statSync(join(data, 'copy/p/a')).mtimeMs).toBe(1_700_000_000_000);
    expect(statSync(join(data, 'copy/p/a')).mode & 0o777).toBe(0o640);
    const part = await sync((context) => commands.restore(context, { path: 'p/a' }));
    const [{ to }] = part.out as [{ to: string }];
    expect(to).toMatch(/^restored-/);
    expect(dumpFolder(join(data, to))).toEqual(new Map([['a', 'saved']]));
  });

  test('an older save is listed, and copied as it was', async () => {
    mkdirSync(join(data, 'p'));
    writeFileSync(join(data, 'p/a'), 'first');
    await save();
    writeFileSync(join(data, 'p/a'), 'second');
    rmSync(join(data, 'p/a'));
    symlinkSync('elsewhere', join(data, 'p/a'));
    await save();
    const listed = await sync((context) => commands.saves(context));
    const [{ saves, olderBytes }] = listed.out as [
      { saves: { generation: number; id: string }[]; olderBytes: number },
    ];
    expect({ code: listed.code, generations: saves.map(({ generation }) => generation), olderBytes }).toEqual(
      {
        code: 0,
        generations: [2, 1],
        olderBytes: 5,
      },
    );
    const found = await sync((context) =>
      commands.restore(context, { of: String(saves[1]?.id), path: 'p', to: 'then' }),
    );
    expect(found).toMatchObject({
      code: 0,
      out: [{ to: 'then', generation: 1, files: 1, bytes: 5, missing: [] }],
    });
    expect(dumpFolder(join(data, 'then'))).toEqual(
      new Map([
        ['p/', ''],
        ['p/a', 'first'],
      ]),
    );
    expect(dumpFolder(data).get('p/a')).toBe('→ elsewhere');
  });

  test.each([
    ['a save that never was', (context) => commands.restore(context, { of: '7' }), 'sync saves'],
    ['a folder that exists', (context) => commands.restore(context, { to: 'p' }), 'in the project already'],
    ['a folder elsewhere', (context) => commands.restore(context, { to: '../state' }), 'without ".."'],
    [
      'the engine’s own folder',
      (context) => commands.restore(context, { to: '.scipion-sync' }),
      'no name of a new',
    ],
    [
      'the engine’s own files',
      (context) => commands.restore(context, { path: '.scipion-sync' }),
      'has nothing at',
    ],
    ['a path that never was', (context) => commands.restore(context, { path: 'p/never' }), 'has nothing at'],
    [
      'a file that is not in the trash',
      (context) => commands.trash(context, { restore: 'p/a' }),
      'has nothing at',
    ],
    ['a way out of the trash', (context) => commands.trash(context, { restore: '../../x' }), 'without ".."'],
  ] as [string, (context: commands.CommandContext) => Promise<number>, string][])(
    'refuses %s',
    async (_, work, text) => {
      mkdirSync(join(data, 'p'));
      writeFileSync(join(data, 'p/a'), 'x');
      await save();
      const before = dumpFolder(data);
      const { code, out, err } = await sync(work);
      expect({ code, out }).toEqual({ code: EXIT_CODES.failed, out: [] });
      expect(err).toContain(text);
      expect(dumpFolder(data)).toEqual(before);
    },
  );

  test('every command that asks prints one line of JSON', async () => {
    writeFileSync(join(data, 'a'), 'x');
    const all = [
      commands.status,
      commands.plan,
      commands.saves,
      commands.saveNow,
      commands.refreshSource,
      (context: commands.CommandContext) => commands.lease(context, false),
      (context: commands.CommandContext) => commands.lease(context, true),
      (context: commands.CommandContext) => commands.drain(context, 60),
    ];
    for (const each of all)
      expect(await sync(each), each.name).toMatchObject({ code: 0, out: [{}], err: '' });
  });
});
