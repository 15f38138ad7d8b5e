import { readSecretFile, type WebhookConfig } from '../config.ts';
import type { RuleReason } from '../view-types.ts';

/** Tells a service of the site, which writes e-mails or whatever it likes. */

export interface RuleNews {
  readonly event: 'will-be-paused' | 'paused' | 'not-paused';
  readonly why: RuleReason;
  readonly instance: string;
  /** Id of its user; null: it has none. */
  readonly owner: string | null;
  /** ISO 8601, UTC: when it will be paused, else when this happened. */
  readonly at: string;
  /** Its page in the console. */
  readonly page: string;
  /** Why it was not paused. */
  readonly message?: string;
}

const ANSWER_MS = 10_000;

/** @throws Error where it does not take the news; the address may hold a secret and is not told */
export async function sendNews({ url, tokenFile }: WebhookConfig, news: RuleNews): Promise<void> {
  const token = tokenFile === undefined ? {} : { authorization: `Bearer ${readSecretFile(tokenFile)}` };
  const answer = await fetch(url, {
    method: 'POST',
    redirect: 'error',
    headers: { 'content-type': 'application/json', ...token },
    body: JSON.stringify(news),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((error: Error) => {
    throw new Error(`the webhook of ${new URL(url).host} does not answer: ${error.name}`);
  });
  await answer.body?.cancel();
  if (!answer.ok)
    throw new Error(`the webhook of ${new URL(url).host} answered ${answer.status}, expected 2xx`);
}
