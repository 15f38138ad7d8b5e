import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { OddKind } from './odd-kind.ts';

/** Ends the whole group when the pipe of its maker closes: also where a run of the tests is killed. */
const WITH_ITS_MAKER = '{ cat <&3 >/dev/null; kill -9 0; } &';

/**
 * Each session of processes is a group of its own for the scheduler of a desktop's kernel, which gives all groups alike:
 * the niceness of its processes counts in it alone.
 */
const WITH_WHAT_IS_LEFT = 'echo 19 2>/dev/null >/proc/self/autogroup;';

/** Goes on in a process of its own until it is ended; with what time others leave, as none of it may slow a test. */
function working(script: string, ...args: string[]): () => void {
  const child: ChildProcess = spawn(
    'nice',
    ['-n', '19', 'sh', '-c', `${WITH_WHAT_IS_LEFT} ${WITH_ITS_MAKER} ${script}`, 'sh', ...args],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      detached: true,
    },
  );
  spawnSync('sleep', ['0.2']);
  return () => {
    // The whole group: `sleep` too.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
}

const GROWING =
  'import os,sys\nf=os.open(sys.argv[1],os.O_CREAT|os.O_WRONLY)\nwhile True: os.write(f,b"more")';

const SHRINKING = `import os,sys,time
f=os.open(sys.argv[1],os.O_CREAT|os.O_WRONLY)
while True: os.pwrite(f,b"more"*2000000,0); time.sleep(0.02); os.ftruncate(f,100); time.sleep(0.02)`;

/** What others change all the time, so that no look at it is the last. */
export const MOVING: readonly OddKind[] = [
  {
    name: 'a file that grows all the time',
    // Between two of its bytes it stands still, and what was read then is a save.
    fate: 'honest',
    make: (folder) => working('exec python3 -c "$2" "$1"', join(folder, 'odd'), GROWING),
    isAlive: true,
  },
  {
    name: 'a file that is cut and filled all the time',
    fate: 'honest',
    make: (folder) => working('while :; do : > "$1"; printf more >> "$1"; done', join(folder, 'odd')),
    isAlive: true,
  },
  {
    name: 'a large file that is cut while it is read',
    fate: 'honest',
    make: (folder) => working('exec python3 -c "$2" "$1"', join(folder, 'odd'), SHRINKING),
    isAlive: true,
  },
  {
    name: 'a file whose time is set back after each write',
    fate: 'honest',
    make: (folder) =>
      working(
        'while :; do date +%N >> "$1"; touch -d 2020-01-01 "$1"; sleep 0.01; done',
        join(folder, 'odd'),
      ),
    isAlive: true,
  },
  {
    name: 'a folder that becomes a link out of the project and a folder again',
    fate: 'honest',
    make: (folder) =>
      working(
        'mkdir "$1"; echo in > "$1/file"; while :; do mv "$1" "$1 aside"; ln -s /etc "$1"; sleep 0.01; rm "$1"; mv "$1 aside" "$1"; sleep 0.01; done',
        join(folder, 'odd'),
      ),
    isAlive: true,
  },
  {
    name: 'a hard link that comes and goes',
    fate: 'honest',
    make: (folder) =>
      working(
        'echo one > "$1"; while :; do ln "$1" "$1 two"; sleep 0.01; rm "$1 two"; sleep 0.01; done',
        join(folder, 'odd'),
      ),
    isAlive: true,
  },
  {
    name: 'a file that comes and goes',
    fate: 'honest',
    make: (folder) =>
      working('while :; do printf more > "$1"; sleep 0.01; rm -f "$1"; done', join(folder, 'odd')),
    isAlive: true,
  },
  {
    name: 'a file that becomes a folder and a file again',
    fate: 'honest',
    make: (folder) =>
      working(
        'while :; do printf more > "$1"; sleep 0.01; rm -f "$1"; mkdir "$1"; sleep 0.01; rmdir "$1"; done',
        join(folder, 'odd'),
      ),
    isAlive: true,
  },
];
