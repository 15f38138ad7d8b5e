import { t } from './language.ts';

export type Posted<T = unknown> =
  /** `isDone`: not only begun. */
  | { readonly error: null; readonly isDone: boolean; readonly content?: T }
  | { readonly error: string; readonly content?: never };

/** Asks the gateway for what it knows. */
export function ask<T>(path: string): Promise<Posted<T>> {
  return send(path, {});
}

/** Asks the gateway for something. `error` is what was said against it, in the language of the page. */
export function post<T>(path: string, content?: unknown): Promise<Posted<T>> {
  return send(path, {
    method: 'POST',
    ...(content === undefined
      ? {}
      : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }),
  });
}

async function send<T>(path: string, request: RequestInit): Promise<Posted<T>> {
  try {
    const answer = await fetch(path, request);
    if (answer.ok) {
      return {
        error: null,
        isDone: answer.status !== 202,
        content: (await answer.json().catch(() => undefined)) as T,
      };
    }
    const { message, code } = (await answer.json().catch(() => ({}))) as { message?: string; code?: string };
    return { error: message === undefined ? t().saveRefused : t().answer(message, code ?? '') };
  } catch {
    return { error: t().unreachable };
  }
}
