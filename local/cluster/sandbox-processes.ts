import { readdirSync, readFileSync } from 'node:fs';
import { inside, type Layout } from './layout.ts';

/**
 * Processes in the cluster's mount namespace, as the host numbers them: found by what they see mounted, so also
 * those of a start that was interrupted before it could note anything down.
 */
export function sandboxProcesses(layout: Layout): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => seesState(readIfThere(`/proc/${pid}/mountinfo`), layout.state))
    .map(Number);
}

/** Whether the text of /proc/PID/mountinfo has the state folder at its place inside. */
export function seesState(mountinfo: string, state: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const [, , , root, place] = line.split(' ');
    // The root is told as a path of its own file system, of which the host's path may show more.
    return place === inside.state && root !== undefined && root !== '/' && state.endsWith(plain(root));
  });
}

/** Spaces and the like stand in mountinfo as backslash and three octal digits. */
function plain(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has ended meanwhile
  }
}
