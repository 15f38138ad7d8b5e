import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number, even after a reboot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot at which it was started (field 22 of /proc/PID/stat). */
  readonly startTime: string;
  readonly bootId: string;
}

/** The identity of a running process, or null when there is none with this number. */
export function identify(pid: number): ProcessIdentity | null {
  try {
    const startTime = startTimeOf(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return startTime === null ? null : { pid, startTime, bootId: bootId() };
  } catch {
    return null;
  }
}

/** Start time in a line of /proc/PID/stat; null for a process that has ended and only waits to be collected. */
export function startTimeOf(stat: string): string | null {
  // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

export function isRunning(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== null && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Whether a socket listens in the network namespace of process `pid`: a TCP port or the path of a Unix socket. */
export function isListening(pid: number | 'self', endpoint: number | string): boolean {
  const read = (table: string) => {
    try {
      return readFileSync(`/proc/${pid}/net/${table}`, 'utf8');
    } catch {
      return '';
    }
  };
  return typeof endpoint === 'number'
    ? listensOn(read('tcp') + read('tcp6'), endpoint)
    : read('unix')
        .split('\n')
        .some((line) => line.endsWith(` ${endpoint}`));
}

/** Whether the text of /proc/PID/net/tcp has a socket in state LISTEN (0A) on `port`. */
export function listensOn(table: string, port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === '0A' && local !== undefined && local.endsWith(wanted);
  });
}
