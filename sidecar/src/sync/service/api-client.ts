import { Agent, request } from 'undici';

/** `sync` does not run, or its socket does not answer. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** `sync` refused, with its reason. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * One request to the running `sync`. Answers may take as long as a save does, so there is no time limit on them.
 * @throws UnreachableError, RefusedError
 */
export async function ask(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: Record<string, unknown>,
): Promise<unknown> {
  const agent = new Agent({ connect: { socketPath, timeout: 5_000 }, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const answer = await request(`http://sync${path}`, {
      method,
      dispatcher: agent,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.body.text();
    const json: unknown = JSON.parse(text);
    if (answer.statusCode < 300) return json;
    const { code, message } = json as { code?: unknown; message?: unknown };
    throw new RefusedError(String(code ?? 'internal'), String(message ?? text));
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new UnreachableError(`sync does not answer at ${socketPath}: ${reason}. It may still be starting`, {
      cause: error,
    });
  } finally {
    await agent.destroy();
  }
}
