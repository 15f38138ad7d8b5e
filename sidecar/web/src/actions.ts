import { t } from './language.ts';

/** Asks the gateway for something. @returns what was said against it; null when it was accepted */
export async function post(path: string, content?: unknown): Promise<string | null> {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      ...(content === undefined
        ? {}
        : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }),
    });
    if (answer.ok) return null;
    const { message } = (await answer.json().catch(() => ({}))) as { message?: string };
    return t().problem(message ?? t().saveRefused, '');
  } catch {
    return t().unreachable;
  }
}
