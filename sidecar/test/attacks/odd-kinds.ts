import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { IS_ROOT } from './harness.ts';
import type { OddKind } from './odd-kind.ts';
import { MOVING } from './odd-moving.ts';

const write = (at: string | Buffer, content = 'odd content') => writeFileSync(at, content);
const run = (program: string, ...args: string[]) => {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 200)}: ${done.stderr}`);
};
const withTime = (time: string) => (folder: string) => {
  write(join(folder, 'odd'));
  run('touch', '-h', '-d', time, join(folder, 'odd'));
};
const named = (name: string | Buffer) => (folder: string) =>
  write(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]));
const withMode = (mode: number) => (folder: string) => {
  write(join(folder, 'odd'));
  chmodSync(join(folder, 'odd'), mode);
};
const folderWithMode = (mode: number) => (folder: string) => {
  mkdirSync(join(folder, 'odd/sub'), { recursive: true });
  write(join(folder, 'odd/file'));
  write(join(folder, 'odd/sub/file'));
  // Handed over before its mode is set, or by root in any case.
  chmodSync(join(folder, 'odd'), mode);
};
const linkTo = (target: string) => (folder: string) => symlinkSync(target, join(folder, 'odd'));

/** A file whose path on the volume has so many bytes: made step by step, as no call takes it whole. */
const deep = (bytes: number) => (folder: string) => {
  const name = 'd'.repeat(200);
  let left = bytes - folder.length - '/odd'.length;
  const steps: string[] = [];
  while (left > 202 + 4) {
    steps.push(name);
    left -= name.length + 1;
  }
  const last = 'f'.repeat(left - 1);
  run(
    'sh',
    '-c',
    `cd "$1" && mkdir odd && cd odd && for d in ${steps.join(' ')}; do mkdir $d && cd -P $d || exit 1; done; echo deep > ${last}`,
    'sh',
    folder,
  );
};

function database(at: string, mode: 'wal' | 'delete'): DatabaseSync {
  const made = new DatabaseSync(at);
  made.exec(`PRAGMA journal_mode=${mode}; CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)`);
  return made;
}

const liveDatabase = (mode: 'wal' | 'delete') => (folder: string) => {
  const open = database(join(folder, 'odd.sqlite'), mode);
  const script = `import { DatabaseSync } from 'node:sqlite';
    const d = new DatabaseSync(process.argv[1]); d.exec('PRAGMA busy_timeout=2000');
    const maker = process.ppid;
    setInterval(() => {
      if (process.ppid !== maker) process.exit(); // a run of the tests that was killed
      try { d.exec('INSERT INTO t VALUES (3)'); } catch {}
    }, 20);`;
  open.close();
  const at = join(folder, 'odd.sqlite');
  const options = { stdio: 'ignore' as const, ...(IS_ROOT ? { uid: 1000, gid: 1000 } : {}) };
  if (IS_ROOT) chownSync(at, 1000, 1000);
  if (IS_ROOT) run('chown', '1000:1000', folder);
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, at], options);
  return () => void child.kill('SIGKILL');
};

const lockedDatabase = (mode: 'wal' | 'delete') => (folder: string) => {
  const open = database(join(folder, 'odd.sqlite'), mode);
  open.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO t VALUES (4)');
  return () => open.close();
};

/** What a killed writer leaves: rows that are only in the log. */
const killedDatabase = (then: (at: string) => void) => (folder: string) => {
  const [live, at] = [join(folder, 'live'), join(folder, 'odd.sqlite')];
  const open = database(live, 'wal');
  for (const ending of ['', '-wal', '-shm']) copyFileSync(live + ending, at + ending);
  open.close();
  rmSync(live);
  then(at);
};

/** Each kind comes with a folder of its own, so that those of a group can be tried together. */
export const ODD_GROUPS: Readonly<Record<string, readonly OddKind[]>> = {
  times: [
    { name: 'a time beyond 2262', fate: 'kept', make: withTime('2300-01-01T00:00:00Z') },
    { name: 'a time in the year 2400', fate: 'kept', make: withTime('2400-06-01T00:00:00Z') },
    { name: 'a time before 1970', fate: 'kept', make: withTime('1965-03-01T12:00:00.5Z') },
    { name: 'a time in 1902', fate: 'kept', make: withTime('1902-01-01T00:00:00Z') },
    { name: 'a time of 0', fate: 'kept', make: withTime('1970-01-01T00:00:00Z') },
    { name: 'a time a nanosecond before 1970', fate: 'kept', make: withTime('1969-12-31T23:59:59.999999Z') },
    {
      name: 'a folder with a time beyond 2262',
      fate: 'kept',
      make: (folder) => {
        mkdirSync(join(folder, 'odd'));
        write(join(folder, 'odd/file'));
        run('touch', '-d', '2300-01-01', join(folder, 'odd'));
      },
    },
    {
      name: 'a link with a time beyond 2262',
      fate: 'kept',
      make: (folder) => {
        symlinkSync('before', join(folder, 'odd'));
        run('touch', '-h', '-d', '2300-01-01', join(folder, 'odd'));
      },
    },
  ],
  names: [
    { name: 'a name of 255 bytes', fate: 'kept', make: named(`odd${'n'.repeat(252)}`) },
    { name: 'a name of 255 bytes in Greek', fate: 'kept', make: named(`odd${'λ'.repeat(126)}`) },
    { name: 'a newline in a name', fate: 'kept', make: named('odd\nname\n') },
    { name: 'control characters in a name', fate: 'kept', make: named('odd\u0001\u001b[31m\u007f') },
    {
      name: 'a name that is no UTF-8',
      fate: 'kept',
      inSpace: 'named',
      make: named(Buffer.from([0x6f, 0x64, 0x64, 0xff, 0xfe])),
    },
    {
      name: 'a name of 255 bytes, none of them UTF-8',
      fate: 'kept',
      inSpace: 'named',
      make: named(Buffer.concat([Buffer.from('odd'), Buffer.alloc(252, 0xff)])),
    },
    { name: 'a name that ends in dots', fate: 'kept', make: named('odd...') },
    { name: 'a name that ends in spaces', fate: 'kept', make: named('odd   ') },
    { name: 'a name that begins with a space', fate: 'kept', make: named(' odd') },
    { name: 'a backslash and quotes in a name', fate: 'kept', make: named(`odd\\"'\`$(x)`) },
    { name: 'percent signs in a name', fate: 'kept', make: named('odd%2F%00%zz?a=b#c') },
    { name: 'an emoji in a name', fate: 'kept', make: named('odd🔬👩‍🔬') },
    { name: 'a name like an option', fate: 'kept', make: named('-rf odd') },
    { name: 'a name that begins with two dots', fate: 'kept', make: named('..odd') },
    {
      name: 'a name as this program encodes them',
      fate: 'kept',
      isRenamed: true,
      make: named(`odd.scipion-name-${'0'.repeat(24)}`),
    },
    // biome-ignore format: one line each
    { name: 'a name as Onedata reserves it', fate: 'kept', inSpace: 'named', make: named('.__onedata__odd') },
    { name: 'a name as of a conflict in Onedata', fate: 'kept', make: named('odd@0123456789abcdef') },
    {
      name: 'a name as this program gives to conflicts',
      fate: 'kept',
      make: named('odd (changed elsewhere 20261122T130501Z)'),
    },
    {
      name: 'twins in NFC and NFD',
      fate: 'kept',
      make: (folder) => {
        write(join(folder, 'odd \u00e9'), 'composed');
        write(join(folder, 'odd e\u0301'), 'decomposed');
      },
    },
    {
      name: 'twins in upper and lower case',
      fate: 'kept',
      make: (folder) => {
        write(join(folder, 'odd case'), 'lower');
        write(join(folder, 'ODD CASE'), 'upper');
      },
    },
    {
      name: '.scipion-sync below the root',
      fate: 'kept',
      make: (folder) => {
        mkdirSync(join(folder, 'odd/.scipion-sync/commits'), { recursive: true });
        write(join(folder, 'odd/.scipion-sync/head.json'), '{}');
      },
    },
    {
      name: 'lost+found, symlink-dump and trash.info below the root',
      fate: 'kept',
      make: (folder) => {
        mkdirSync(join(folder, 'odd/lost+found'), { recursive: true });
        for (const name of ['symlink-dump', 'scipion-docker', 'volume.json'])
          write(join(folder, 'odd', name));
      },
    },
  ],
  'long paths': [
    // In bytes on the volume; Linux takes at most 4095.
    { name: 'a path as long as the system takes', fate: 'kept', make: deep(4095) },
    { name: 'a path four bytes below the limit', fate: 'honest', make: deep(4091) },
    { name: 'a path four bytes above the limit', fate: 'named', make: deep(4099) },
    { name: 'a path of 6000 bytes', fate: 'named', make: deep(6000) },
    {
      name: 'three hundred folders in each other',
      fate: 'kept',
      make: (folder) =>
        void mkdirSync(join(folder, 'odd', ...Array.from({ length: 300 }, () => 'd')), { recursive: true }),
    },
  ],
  rights: [
    { name: 'a file of mode 000', fate: 'named', make: withMode(0) },
    { name: 'a file of mode 0200', fate: 'named', make: withMode(0o200) },
    { name: 'a file of mode 0444', fate: 'kept', make: withMode(0o444) },
    {
      name: 'a file of mode 0400 that is somebody else’s',
      fate: 'named',
      make: withMode(0o400),
      isForeign: true,
    },
    { name: 'a file with setuid and setgid', fate: 'kept', make: withMode(0o6755) },
    { name: 'a folder of mode 000', fate: 'named', make: folderWithMode(0) },
    { name: 'a folder of mode 0555', fate: 'kept', make: folderWithMode(0o555) },
    { name: 'a folder of mode 0311', fate: 'named', make: folderWithMode(0o311) },
    { name: 'a folder of mode 0444', fate: 'named', make: folderWithMode(0o444) },
    {
      name: 'a folder of mode 0700 that is somebody else’s',
      fate: 'named',
      make: folderWithMode(0o700),
      isForeign: true,
    },
  ],
  'kinds of entries': [
    { name: 'a pipe', fate: 'left', make: (folder) => run('mkfifo', join(folder, 'odd')) },
    {
      name: 'a socket',
      fate: 'left',
      make: (folder) =>
        run(
          'python3',
          '-c',
          'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])',
          join(folder, 'odd'),
        ),
    },
    ...(IS_ROOT
      ? [
          {
            name: 'a device',
            fate: 'left',
            make: (folder: string) => run('mknod', join(folder, 'odd'), 'c', '1', '3'),
          } as const,
        ]
      : []),
  ],
  links: [
    { name: 'a link to itself', fate: 'kept', make: linkTo('odd') },
    { name: 'a link to nothing', fate: 'kept', make: linkTo('nowhere/at all') },
    { name: 'a link to a place outside', fate: 'kept', make: linkTo('/etc/passwd') },
    { name: 'a link out of the volume by dots', fate: 'kept', make: linkTo('../../../../../etc') },
    { name: 'a link to its own folder', fate: 'kept', make: linkTo('.') },
    { name: 'a link with a target of 4095 bytes', fate: 'kept', make: linkTo(`/${'t'.repeat(4094)}`) },
    {
      name: 'a link with a target that is no UTF-8',
      fate: 'kept',
      make: (folder) => symlinkSync(Buffer.from([0x61, 0xff, 0x0a]), join(folder, 'odd')),
    },
    {
      name: 'two links to each other',
      fate: 'kept',
      make: (folder) => {
        symlinkSync('odd two', join(folder, 'odd one'));
        symlinkSync('odd one', join(folder, 'odd two'));
      },
    },
    {
      name: 'hard links across folders',
      fate: 'kept',
      make: (folder) => {
        for (const name of ['odd one', 'odd two']) mkdirSync(join(folder, name));
        write(join(folder, 'odd one/file'));
        linkSync(join(folder, 'odd one/file'), join(folder, 'odd two/file'));
      },
    },
  ],
  contents: [
    { name: 'an empty file', fate: 'kept', make: (folder) => write(join(folder, 'odd'), '') },
    {
      name: 'a sparse file of 200 MB',
      fate: 'kept',
      make: (folder) => {
        write(join(folder, 'odd'));
        truncateSync(join(folder, 'odd'), 200_000_000);
      },
    },
  ],
  'things that never stand still': MOVING,
  databases: [
    {
      name: 'a database with a journal, being written',
      fate: 'honest',
      make: liveDatabase('delete'),
      isAlive: true,
    },
    {
      name: 'a database with a write-ahead log, being written',
      fate: 'honest',
      make: liveDatabase('wal'),
      isAlive: true,
    },
    {
      name: 'a locked database with a journal',
      fate: 'named',
      make: lockedDatabase('delete'),
      isAlive: true,
    },
    {
      name: 'a locked database with a write-ahead log',
      fate: 'honest',
      make: lockedDatabase('wal'),
      isAlive: true,
    },
    {
      name: 'a malformed database',
      fate: 'kept',
      make: (folder) => {
        database(join(folder, 'odd.sqlite'), 'delete').close();
        run(
          'sh',
          '-c',
          'printf garbage | dd of="$1" bs=1 seek=100 conv=notrunc',
          'sh',
          join(folder, 'odd.sqlite'),
        );
      },
    },
    {
      name: 'a database with a log that belongs to no one',
      fate: 'kept',
      make: (folder) => {
        database(join(folder, 'odd.sqlite'), 'delete').close();
        write(join(folder, 'odd.sqlite-wal'), 'not a log');
      },
      isAlive: true,
    },
    {
      name: 'a database with a log and three more names',
      fate: 'kept',
      make: killedDatabase((at) => {
        for (const name of ['a', 'p', 'z']) linkSync(at, join(at, '..', name));
      }),
      isAlive: true,
    },
    {
      name: 'a database whose log may not be read',
      fate: 'named',
      make: killedDatabase((at) => chmodSync(`${at}-wal`, 0)),
      isAlive: true,
    },
    {
      name: 'a database whose log has no index, in a folder that may only be read',
      fate: 'kept',
      make: killedDatabase((at) => {
        rmSync(`${at}-shm`);
        chmodSync(join(at, '..'), 0o555);
      }),
      isAlive: true,
    },
    { name: 'an empty database', fate: 'kept', make: (folder) => write(join(folder, 'odd.sqlite'), '') },
    {
      name: 'only the first bytes of a database',
      fate: 'kept',
      make: (folder) => write(join(folder, 'odd.sqlite'), 'SQLite format 3\0'),
    },
  ],
};
