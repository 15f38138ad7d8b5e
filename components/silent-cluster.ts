import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

const ANSWER_SECONDS = 10;

/**
 * Whether an API server takes a connection and then says nothing. The Kubernetes provider asks such a one several times,
 * half a minute each. Any answer will do, a refusal too, so nothing is sent that says who asks and no certificate is judged.
 */
export function isSilent(address: string, seconds = ANSWER_SECONDS): Promise<boolean> {
  const url = new URL('/version', address);
  const ask = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const request = ask(url, { rejectUnauthorized: false, agent: false });
    const timer = setTimeout(() => end(true), seconds * 1000);
    const end = (isSilent: boolean) => {
      clearTimeout(timer);
      request.destroy();
      resolve(isSilent);
    };
    request.on('response', () => end(false));
    // Somebody refuses, or nobody is there: the provider says so at once, and better.
    request.on('error', () => end(false));
    request.end();
  });
}
