import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { CLUSTER_ACCESS_FILES } from '../../contract/paths.ts';
import { JobError } from './job-error.ts';
import type { KubernetesJob, KubernetesPod } from './kubernetes-objects.ts';

/** The five questions that the broker has for the API server. Not by Kubernetes' client library: docs/decisions has why. */

/** The API server refused, with its reason. */
export class RefusedByServerError extends Error {
  override readonly name = 'RefusedByServerError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** There is no answer: what was asked may have been done. */
export class SilentServerError extends Error {
  override readonly name = 'SilentServerError';
}

export interface ApiServerOptions {
  /** `https://…` without a path. */
  readonly url: string;
  readonly namespace: string;
  /** Holds token and authorities. */
  readonly directory: string;
}

const ANSWER_MS = 15_000;
/** The kubelet renews the file long before the token ends. */
const TOKEN_MAX_AGE_MS = 30_000;
/** Of a list that is read in pieces: each object may hold a request of `JOB_LIMITS.requestBytes`. */
const PAGE = 20;
const CONNECTIONS = 6;

interface Page {
  readonly items?: readonly unknown[];
  readonly metadata?: { readonly continue?: string };
}

export class ApiServer {
  readonly #options: ApiServerOptions;
  #agent: Agent | undefined;
  #token = { text: '', readAt: Number.NEGATIVE_INFINITY };

  constructor(options: ApiServerOptions) {
    this.#options = options;
  }

  createJob(job: object): Promise<KubernetesJob> {
    return this.#ask('POST', this.#path('batch/v1', 'jobs'), job) as Promise<KubernetesJob>;
  }

  patchJob(name: string, patch: object): Promise<KubernetesJob> {
    return this.#ask('PATCH', this.#path('batch/v1', `jobs/${name}`), patch) as Promise<KubernetesJob>;
  }

  /** @param take is called with each job; nothing of a page is kept */
  eachJob(query: Readonly<Record<string, string>>, take: (job: KubernetesJob) => void): Promise<void> {
    return this.#each(this.#path('batch/v1', 'jobs'), query, (item) => take(item as KubernetesJob));
  }

  eachPod(query: Readonly<Record<string, string>>, take: (pod: KubernetesPod) => void): Promise<void> {
    return this.#each(this.#path('v1', 'pods'), query, (item) => take(item as KubernetesPod));
  }

  /** What the cluster has told of an object, newest last. */
  async events(kind: string, name: string): Promise<readonly string[]> {
    const found: { at: string; text: string }[] = [];
    const query = { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}` };
    await this.#each(this.#path('v1', 'events'), query, (item) => {
      const { message = '', type, lastTimestamp, eventTime } = item as Record<string, string | undefined>;
      if (type === 'Warning') found.push({ at: lastTimestamp ?? eventTime ?? '', text: message });
    });
    return found.toSorted((a, b) => a.at.localeCompare(b.at)).map(({ text }) => text);
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }

  #path(group: string, rest: string): string {
    const root = group === 'v1' ? '/api/v1' : `/apis/${group}`;
    return `${root}/namespaces/${this.#options.namespace}/${rest}`;
  }

  async #each(path: string, query: Readonly<Record<string, string>>, take: (item: unknown) => void) {
    let next: string | undefined;
    do {
      const all = { ...query, limit: String(PAGE), ...(next === undefined ? {} : { continue: next }) };
      const page = (await this.#ask('GET', `${path}?${new URLSearchParams(all)}`)) as Page;
      for (const item of page.items ?? []) take(item);
      next = page.metadata?.continue || undefined;
    } while (next !== undefined);
  }

  async #ask(method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<unknown> {
    const { url } = this.#options;
    let status: number;
    let text: string;
    try {
      const answer = await request(`${url}${path}`, {
        method,
        dispatcher: await this.#connections(),
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: {
          authorization: `Bearer ${await this.#currentToken()}`,
          accept: 'application/json',
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (cause) {
      throw new SilentServerError(
        `the API server at ${url} gave no answer to ${method} ${path.split('?')[0]}: ${(cause as Error).message}`,
        { cause },
      );
    }
    const json = parse(text);
    if (status < 300) return json;
    const told = (json as { message?: unknown } | undefined)?.message;
    throw new RefusedByServerError(status, typeof told === 'string' ? told : `status ${status}`);
  }

  async #connections(): Promise<Agent> {
    const file = join(this.#options.directory, CLUSTER_ACCESS_FILES.authorities);
    this.#agent ??= new Agent({ connections: CONNECTIONS, connect: { ca: await readFile(file, 'utf8') } });
    return this.#agent;
  }

  async #currentToken(): Promise<string> {
    if (performance.now() - this.#token.readAt > TOKEN_MAX_AGE_MS) {
      const file = join(this.#options.directory, CLUSTER_ACCESS_FILES.token);
      this.#token = { text: (await readFile(file, 'utf8')).trim(), readAt: performance.now() };
    }
    return this.#token.text;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isWorthAnother = (error: unknown) =>
  error instanceof SilentServerError ||
  (error instanceof RefusedByServerError && (error.status === 429 || error.status >= 500));

/** For the client: whether to ask again, or what to change. */
export function told(error: unknown): Error {
  if (error instanceof SilentServerError || isWorthAnother(error))
    return new JobError(
      'unavailable',
      `The cluster does not answer at the moment: ${(error as Error).message}. Ask again with the same clientId.`,
    );
  if (error instanceof RefusedByServerError)
    return new JobError('refused', `The cluster refused it: ${error.message}`);
  return error instanceof Error ? error : new Error(String(error));
}
