import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import type { EmulatorOptions } from '../configuration.ts';
import type { Emulator } from '../context.ts';
import { startEmulator } from '../emulator.ts';
import type { Caveat } from '../tokens.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // Answers are asserted field by field in each test.
  // biome-ignore lint/suspicious/noExplicitAny: any shape may come, that is what is tested
  readonly json: any;
}

export interface CallOptions {
  readonly body?: string | Buffer | object;
  readonly headers?: Record<string, string>;
  /** Default: one that may do everything; null: none. */
  readonly token?: string | null;
}

const DEFAULT_SPACES = [
  { id: 'sp1', name: 'lab' },
  { id: 'sp2', name: 'other' },
  { id: 'sp3', name: 'elsewhere', supported: false },
];

/** One connection at a time to this machine, whatever the host name is. */
export const localAgent = (authorityPem: string) =>
  new Agent({
    connections: 1,
    connect: {
      ca: authorityPem,
      lookup: (_host, options, callback) =>
        options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4),
    },
  });

/** An emulator on loopback and raw calls to it, as any HTTP client would make them. */
export class Given {
  readonly emulator: Emulator;
  readonly directory: string;
  readonly token: string;
  readonly #agent: Agent;

  constructor(emulator: Emulator, directory: string) {
    this.emulator = emulator;
    this.directory = directory;
    this.token = emulator.mint().token;
    this.#agent = localAgent(emulator.authorityPem);
  }

  static async start(options: Partial<EmulatorOptions> = {}, directory?: string): Promise<Given> {
    const data = directory ?? (await mkdtemp(join(tmpdir(), 'onedata-')));
    const emulator = await startEmulator({
      dataDirectory: data,
      listen: { port: 0 },
      spaces: DEFAULT_SPACES,
      ...options,
    });
    return new Given(emulator, data);
  }

  /** Stops it; its data stays for another start. */
  async stop(): Promise<void> {
    await this.#agent.destroy();
    await this.emulator.close();
  }

  async dispose(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  mint(...caveats: Caveat[]): string {
    return this.emulator.mint({ caveats }).token;
  }

  async #send(
    method: string,
    url: string,
    { body, headers, token = this.token }: CallOptions,
  ): Promise<RawAnswer> {
    const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    // Not through a URL parser, which would take `..` away.
    const [, origin = '', path = ''] = /^(https:\/\/[^/]+)(.*)$/.exec(url) ?? [];
    const answer = await this.#agent.request({
      origin,
      path,
      method: method as 'GET',
      headers: {
        ...(token === null ? {} : { 'x-auth-token': token }),
        ...(isRaw ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: isRaw ? (body ?? null) : JSON.stringify(body),
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type'] ?? '').startsWith('application/json');
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** A call of the provider's REST API, e.g. `op('GET', 'data/sp1')`. */
  op(method: string, path: string, options: CallOptions = {}): Promise<RawAnswer> {
    return this.#send(method, `https://${this.emulator.providerHost}/api/v3/oneprovider/${path}`, options);
  }

  /** The provider's REST API at another host of the emulator. */
  at(host: string, method: string, path: string, options: CallOptions = {}): Promise<RawAnswer> {
    return this.#send(method, `https://${host}/api/v3/oneprovider/${path}`, options);
  }

  zone(method: string, path: string, options: CallOptions = {}): Promise<RawAnswer> {
    return this.#send(method, `https://${this.emulator.zoneHost}/api/v3/onezone/${path}`, options);
  }

  /** Any path of the provider's host. */
  host(method: string, path: string, options: CallOptions = {}): Promise<RawAnswer> {
    return this.#send(method, `https://${this.emulator.providerHost}/${path}`, options);
  }

  /** Makes a file with its parents and answers its id. */
  async put(path: string, body = '', space = 'sp1'): Promise<string> {
    const answer = await this.op('PUT', `data/${space}/path/${path}?create_parents=true`, {
      body,
      headers: { 'content-type': 'application/octet-stream' },
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
    return answer.json.fileId;
  }

  move(destination: string, source: string, kind: 'object' | 'container' = 'object'): Promise<RawAnswer> {
    return this.host('PUT', `cdmi/${destination}`, {
      headers: { 'content-type': `application/cdmi-${kind}`, 'x-cdmi-specification-version': '1.1.1' },
      body: JSON.stringify({ move: source }),
    });
  }
}

/** `errno` of a POSIX error, else the id. */
export function errorOf(answer: RawAnswer): string {
  const { id, details } = answer.json?.error ?? {};
  return `${answer.status} ${id === 'posix' ? details.errno : id}`;
}
