import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FaultRule } from '../../emulators/onedata/faults.ts';
import type { SpaceSpec } from './engine.ts';
import { nodeOptions } from './node-options.ts';

export type ServerRequest =
  | { readonly do: 'start'; readonly directory: string }
  | { readonly do: 'add-space'; readonly id: string; readonly seedFrom?: string }
  /** Files at the root of a space, with their ids. */
  | { readonly do: 'files'; readonly id: string }
  /** From now on, in place of those before. */
  | { readonly do: 'faults'; readonly rules: readonly FaultRule[] }
  | { readonly do: 'close' };

export type ServerAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string };

interface Started {
  readonly host: string;
  readonly port: number;
  readonly authorityFile: string;
  readonly tokenFile: string;
}

/** The Onedata emulator as a process of its own, over TLS on loopback. */
export class Server {
  readonly #child: ChildProcess;
  readonly started: Started;
  /** Made by the emulator; any other server of the run can use them, for equal conditions. */
  readonly tls: { readonly certificateFile: string; readonly keyFile: string };

  private constructor(child: ChildProcess, started: Started) {
    this.#child = child;
    this.started = started;
    const folder = dirname(started.authorityFile);
    const file = (ending: string) =>
      join(folder, readdirSync(folder).find((name) => name !== 'ca.crt' && name.endsWith(ending)) ?? '');
    this.tls = { certificateFile: file('.crt'), keyFile: file('.key') };
  }

  static async start(directory: string): Promise<Server> {
    mkdirSync(directory, { recursive: true });
    const child = fork(fileURLToPath(new URL('server-process.ts', import.meta.url)), {
      execArgv: nodeOptions(),
    });
    const started = (await ask(child, { do: 'start', directory })) as Started;
    return new Server(child, started);
  }

  async addSpace(id: string, seedFrom?: string): Promise<void> {
    await ask(this.#child, { do: 'add-space', id, ...(seedFrom === undefined ? {} : { seedFrom }) });
  }

  async files(id: string): Promise<{ name: string; id: string }[]> {
    return (await ask(this.#child, { do: 'files', id })) as { name: string; id: string }[];
  }

  /** @param port of something in between, where there is one */
  spec(spaceId: string, port = this.started.port): SpaceSpec {
    const { host, authorityFile, tokenFile } = this.started;
    return {
      kind: 'onedata',
      host: `${host.split(':')[0]}:${port}`,
      spaceId,
      tokenFile,
      authorityFile,
    };
  }

  async setFaults(rules: readonly FaultRule[]): Promise<void> {
    await ask(this.#child, { do: 'faults', rules });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    await ask(this.#child, { do: 'close' }).catch(() => undefined);
    this.#child.disconnect();
    await ended;
  }
}

function ask(child: ChildProcess, order: ServerRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the emulator ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      const answer = message as ServerAnswer;
      if (answer.ok) resolve(answer.result);
      else reject(new Error(`the emulator failed: ${answer.error}`));
    });
    child.send(order);
  });
}
