import { spawn } from 'node:child_process';
import type { AccessProblem, LoginCommand } from '../stacks/cluster-access.ts';

/** A person may have to answer in a browser; whoever has not by then starts again. */
const LOGIN_SECONDS = 60;

/**
 * Runs the command that a kubeconfig logs in with, to see whether it ends. The Kubernetes provider waits for it without
 * end, at a question that nobody sees too. How it ends is not judged here: the provider runs it again and says so better.
 * What it prints is credentials, and goes nowhere.
 */
export function hangingLogin(
  login: LoginCommand,
  seconds = LOGIN_SECONDS,
): Promise<AccessProblem | undefined> {
  const { command, args, environment, who, check } = login;
  return new Promise((resolve) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: 'ignore',
      detached: true,
    });
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      const message =
        `The login command "${command}" of ${who} did not end within ${seconds} s; expected credentials. ` +
        `It may ask something, or what it asks does not answer. Run it in a terminal and answer it, ${check}`;
      resolve({ message, isEndless: true });
    }, seconds * 1000);
    const ended = () => {
      clearTimeout(timer);
      resolve(undefined);
    };
    child.on('error', ended);
    child.on('exit', ended);
  });
}
