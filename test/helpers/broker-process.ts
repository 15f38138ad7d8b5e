import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'undici';
import type { JobView } from '../../sidecar/contract/job-view.ts';
import type { JobRequest } from '../../sidecar/contract/jobs.ts';
import { JOBS_NODE_FLAGS } from '../../sidecar/contract/node-flags.ts';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The command `jobs`, and what it is asked over its socket. */
export class BrokerProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #agent: Agent;
  #child: ChildProcess | undefined;
  #log = '';
  #peak = 0;

  static async start(folder: string, args: readonly string[]): Promise<BrokerProcess> {
    mkdirSync(folder);
    const broker = new BrokerProcess(folder, args);
    await broker.#start();
    return broker;
  }

  private constructor(folder: string, args: readonly string[]) {
    this.#folder = folder;
    this.#args = args;
    this.#agent = new Agent({ connect: { socketPath: this.socket }, connections: 40, pipelining: 1 });
  }

  get socket(): string {
    return this.#args[this.#args.lastIndexOf('--socket') + 1] ?? '';
  }

  async #start(): Promise<void> {
    const args = [...JOBS_NODE_FLAGS, ...this.#args, '--state', this.#folder];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    // What earlier lives said is no sign of this one; other lines may follow at once.
    const before = this.#log.length;
    const isStarted = () => this.#log.indexOf('jobs are taken"}\n', before) !== -1;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    for (const end = Date.now() + 60_000; !isStarted(); await sleep(50))
      if (child.exitCode !== null || Date.now() > end)
        throw new Error(`The broker does not start:\n${this.#log}`);
  }

  /** SIGKILL, and a new one in its place. */
  async kill(): Promise<void> {
    this.peakMebibytes();
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
    await this.#start();
  }

  /** Of all its lives. */
  peakMebibytes(): number {
    const status = readFileSync(`/proc/${this.#child?.pid}/status`, 'utf8');
    const [, kibibytes = '0'] = /VmHWM:\s+(\d+)/.exec(status) ?? [];
    this.#peak = Math.max(this.#peak, Number(kibibytes) / 1024);
    return this.#peak;
  }

  lines(operation: string): Record<string, unknown>[] {
    const all = this.#log.split('\n').filter((line) => line.startsWith('{'));
    return all.map((line) => JSON.parse(line)).filter((line) => line.operation === operation);
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await httpRequest(`http://jobs${path}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: answer.statusCode, body: (await answer.body.json()) as Answer['body'] };
  }

  async until(id: string, is: (view: JobView) => boolean): Promise<JobView> {
    for (const end = Date.now() + 60_000; ; await sleep(200)) {
      const view = (await this.ask('GET', `/v1/jobs/${id}`)).body as unknown as JobView;
      if (is(view)) return view;
      if (Date.now() > end) throw new Error(`job ${id} is ${JSON.stringify(view)}\n${this.#log}`);
    }
  }

  /** Asks again until there is an answer. @returns the number of the job */
  async submitSurely(asked: JobRequest): Promise<string> {
    for (const end = Date.now() + 200_000; ; await sleep(200 + Math.random() * 500)) {
      const answer = await this.ask('POST', '/v1/jobs', asked).catch(() => undefined);
      if (answer?.status === 200 || answer?.status === 201) return String(answer.body.id);
      if (Date.now() > end) throw new Error(`no job: ${JSON.stringify(answer)}\n${this.#log.slice(-2000)}`);
    }
  }

  /** Sends a body of so many bytes. @returns how many went before the broker closed the connection */
  async pour(bytes: number): Promise<number> {
    const socket = connect(this.socket);
    socket.on('error', () => undefined);
    socket.write(
      `POST /v1/jobs HTTP/1.1\r\nhost: jobs\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`,
    );
    const piece = Buffer.alloc(65_536, 'x');
    let isOver = false;
    socket.once('close', () => {
      isOver = true;
    });
    while (!isOver && socket.bytesWritten < bytes)
      if (!socket.write(piece))
        await Promise.race([once(socket, 'drain'), once(socket, 'close'), sleep(5_000)]).catch(
          () => undefined,
        );
    socket.destroy();
    return socket.bytesWritten;
  }

  async flood(requests: number): Promise<{ answered: number; refused: number }> {
    const counts = { answered: 0, refused: 0 };
    const one = async () => {
      const answer = await this.ask('GET', '/v1/classes').catch(() => undefined);
      if (answer?.status === 200) counts.answered += 1;
      else counts.refused += 1;
    };
    await Promise.all(Array.from({ length: requests }, one));
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await Promise.race([once(child, 'exit'), sleep(5_000)]);
      child.kill('SIGKILL');
    }
    await this.#agent.destroy();
  }
}
