import type { Allowance, AllowanceKey, Allowances, Me, Refused } from '../../src/view-types.ts';
import { formatBytes, t } from './language.ts';

/** What is asked of the console. */

let csrf = '';

export class RefusedError extends Error {
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(t().refusals[refused.code] ?? t().refusals.failed);
    this.refused = refused;
  }
}

async function ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
  const answer = await fetch(path, {
    method,
    headers: {
      accept: 'application/json',
      ...(method === 'POST' ? { 'content-type': 'application/json', 'x-csrf-token': csrf } : {}),
    },
    ...(method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}),
  });
  if (answer.status === 401) location.reload();
  const content: unknown = await answer.json().catch(() => ({ code: 'failed' }));
  if (!answer.ok) throw new RefusedError(content as Refused);
  return content as T;
}

export const get = <T>(path: string): Promise<T> => ask('GET', path);
export const post = <T = unknown>(path: string, body?: object): Promise<T> => ask('POST', path, body);

export const instancePath = (name: string, rest = ''): string =>
  `/api/instances/${encodeURIComponent(name)}${rest}`;

export async function signedIn(): Promise<Me> {
  const me = await get<Me>('/api/me');
  csrf = me.csrf;
  return me;
}

/** A sentence for whatever was thrown. */
export function sentenceOf(error: unknown): string {
  if (error instanceof RefusedError) return error.message;
  return t().connectionLost;
}

/** The console's own words beneath the sentence, where there are any. */
export function detailOf(error: unknown): string | undefined {
  if (!(error instanceof RefusedError)) return undefined;
  const { over, message } = error.refused;
  return over === undefined ? message : t().would(allowanceText(over));
}

const IN_BYTES: readonly string[] = ['memory', 'storage'];

/** `instances 1 of 3, memory 8 GB of 64 GB` */
export function allowanceText(allowances: Allowances): string {
  const found = Object.entries(allowances) as [AllowanceKey, Allowance][];
  return found
    .map(([key, { taken, allowed }]) => {
      const shown = (amount: number) => (IN_BYTES.includes(key) ? formatBytes(amount) : String(amount));
      return t().allowances[key](shown(taken), shown(allowed));
    })
    .join(', ');
}
