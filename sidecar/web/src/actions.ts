import { t } from './language.ts';

export type Posted =
  /** `isDone`: not only begun. */
  { readonly error: null; readonly isDone: boolean } | { readonly error: string };

/** Asks the gateway for something. `error` is what was said against it, in the language of the page. */
export async function post(path: string, content?: unknown): Promise<Posted> {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      ...(content === undefined
        ? {}
        : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }),
    });
    if (answer.ok) return { error: null, isDone: answer.status !== 202 };
    const { message, code } = (await answer.json().catch(() => ({}))) as { message?: string; code?: string };
    return { error: message === undefined ? t().saveRefused : t().answer(message, code ?? '') };
  } catch {
    return { error: t().unreachable };
  }
}
