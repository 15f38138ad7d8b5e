import { execa } from 'execa';

/** What a command said that only tells about itself, such as its version. */
export interface Answer {
  readonly stdout: string;
  /** Why it gave none: it is not there, cannot be started, failed, was ended or did not end. */
  readonly failure?: string;
  /** It was started and ended by itself, well or not. */
  readonly isProgram: boolean;
  readonly isMissing: boolean;
}

/** On a machine with much else to do the largest of them take seconds. */
const ANSWER_MS = 20_000;

/** Asks with nothing to read, and ends what does not answer with all that it has started. */
export async function ask(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  limitMs = ANSWER_MS,
): Promise<Answer> {
  const child = execa(command, args, {
    env: environment,
    stdin: 'ignore',
    reject: false,
    detached: true,
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup(child.pid);
  }, limitMs);
  const { stdout, stderr, exitCode, signal, code } = await child.finally(() => clearTimeout(timer));
  const said = { stdout, isMissing: code === 'ENOENT' };
  if (isLate) return { ...said, isProgram: true, failure: `does not answer within ${limitMs / 1000} s` };
  // 126 and 127 are of the shell that takes what the system cannot start.
  const isProgram = exitCode !== undefined && exitCode !== 126 && exitCode !== 127;
  if (exitCode === 0) return { ...said, isProgram };
  const why = exitCode === undefined ? (signal ?? code ?? 'it cannot be started') : `code ${exitCode}`;
  const words = stderr.trim().split('\n')[0] ?? '';
  return { ...said, isProgram, failure: `fails (${words === '' ? why : `${why}: ${words.slice(0, 200)}`})` };
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

/** `3.276.0` of a text that has a line `v3.276.0`, as `pulumi version` prints it. */
export const versionIn = (text: string) => /^v?(\d+\.\d+\.\d+\S*)\s*$/m.exec(text)?.[1];
